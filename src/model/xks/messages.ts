/**
 * Requests and responses of the XKS Proxy API, as they stand in JSON: XKS Proxy API Specification 1.0.3. Bytes are in base64 with padding
 * (RFC 4648, section 4). A proxy ignores members that it does not know: AWS may add some.
 */

export interface HealthRequestMetadata {
  /** Opaque: seldom anything but a UUID, yet no proxy may rely on that. */
  readonly kmsRequestId: string
  /** A proxy must accept others than those of today. */
  readonly kmsOperation: string
}

export interface KeyRequestMetadata extends HealthRequestMetadata {
  /** ARN, service principal, or `AWS Internal`. */
  readonly awsPrincipalArn: string
  readonly awsSourceVpc?: string | undefined
  readonly awsSourceVpce?: string | undefined
  readonly kmsViaService?: string | undefined
}

export interface CryptographyRequestMetadata extends KeyRequestMetadata {
  readonly kmsKeyArn: string
}

export interface HealthRequest {
  readonly requestMetadata: HealthRequestMetadata
}

export const healthStatuses = ['ACTIVE', 'DEGRADED', 'UNAVAILABLE'] as const
export type HealthStatus = (typeof healthStatuses)[number]

export interface HealthResponse {
  /** At least 1. */
  readonly xksProxyFleetSize: number
  readonly xksProxyVendor: string
  readonly xksProxyModel: string
  readonly ekmVendor: string
  /** From 1 to 10. */
  readonly ekmFleetDetails: readonly {
    readonly id: string
    readonly model: string
    readonly healthStatus: HealthStatus
  }[]
}

export interface MetadataRequest {
  readonly requestMetadata: KeyRequestMetadata & { readonly kmsKeyArn?: string | undefined }
}

export interface MetadataResponse {
  /** `AES_256`, the only spec of version 1. */
  readonly keySpec: string
  /** At most 10; KMS needs `ENCRYPT` and `DECRYPT`. */
  readonly keyUsage: readonly string[]
  readonly keyStatus: 'ENABLED' | 'DISABLED'
}

export const encryptionAlgorithm = 'AES_GCM'
export const integrityAlgorithm = 'SHA_256'

export interface EncryptRequest {
  readonly requestMetadata: CryptographyRequestMetadata
  readonly plaintext: string
  readonly encryptionAlgorithm: typeof encryptionAlgorithm
  readonly additionalAuthenticatedData?: string | undefined
  readonly ciphertextDataIntegrityValueAlgorithm?: typeof integrityAlgorithm | undefined
}

export interface EncryptResponse {
  readonly ciphertext: string
  readonly initializationVector: string
  readonly authenticationTag: string
  readonly ciphertextMetadata?: string | undefined
  /** Present exactly if the request names its algorithm. */
  readonly ciphertextDataIntegrityValue?: string | undefined
}

export interface DecryptRequest {
  readonly requestMetadata: CryptographyRequestMetadata
  readonly ciphertext: string
  readonly encryptionAlgorithm: typeof encryptionAlgorithm
  readonly initializationVector: string
  readonly authenticationTag: string
  readonly ciphertextMetadata?: string | undefined
  readonly additionalAuthenticatedData?: string | undefined
}

export interface DecryptResponse {
  readonly plaintext: string
}

export interface ErrorResponse {
  readonly errorName: string
  readonly errorMessage?: string | undefined
}
