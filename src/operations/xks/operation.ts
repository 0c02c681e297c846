/** Operations of an XKS proxy: XKS Proxy API Specification 1.0.3. */
import type {
  CryptographyRequestMetadata,
  HealthRequestMetadata,
  KeyRequestMetadata,
} from '../../model/xks/messages.ts'
import type { Operation, Target } from '../operation.ts'

/** Of every request: to which prefix it was sent, and what KMS tells of its own caller. */
export interface HealthInput {
  /** Its name. */
  readonly prefix: string
  readonly requestMetadata: HealthRequestMetadata
}

export interface MetadataInput {
  readonly prefix: string
  readonly externalKeyId: string
  readonly requestMetadata: KeyRequestMetadata & { readonly kmsKeyArn?: string | undefined }
}

export interface EncryptInput extends MetadataInput {
  readonly requestMetadata: CryptographyRequestMetadata
  readonly plaintext: Uint8Array
  readonly additionalAuthenticatedData?: Uint8Array | undefined
  /** Whether the answer is to have a ciphertextDataIntegrityValue. */
  readonly asksForIntegrityValue: boolean
}

export interface DecryptInput extends MetadataInput {
  readonly requestMetadata: CryptographyRequestMetadata
  readonly ciphertext: Uint8Array
  readonly initializationVector: Uint8Array
  readonly authenticationTag: Uint8Array
  readonly ciphertextMetadata?: Uint8Array | undefined
  readonly additionalAuthenticatedData?: Uint8Array | undefined
}

type Declaration<I, O, T extends Target> = Omit<Operation<I, O, T>, 'readOnly' | 'recorded'>

/** Declares an operation. Plaintexts, ciphertexts and AAD are not recorded. */
export function operation<I extends HealthInput, O, T extends Target>(
  declared: Declaration<I, O, T>,
): Operation<I, O, T> {
  const recorded = ['prefix', 'externalKeyId', 'requestMetadata'] as (keyof I & string)[]
  return { ...declared, readOnly: true, recorded }
}
