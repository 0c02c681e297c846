/** A tenant of the XKS proxy, by the prefix of its URIs: AWS KMS XKS Proxy API specification, "Proxy URI path". */
export interface XksPrefix {
  /** Without slashes at its ends, unique: `https://host/<name>/kms/xks/v1`; empty for `https://host/kms/xks/v1`. */
  readonly name: string
  /** In which its external keys are. Their HSM follows from the keys. */
  readonly account: string
  /** Region of the keys, and of the signatures of requests. */
  readonly region: string
  /** Requests for a frozen prefix are refused. */
  readonly frozen: boolean
  /** Two or more while they are rotated. */
  readonly credentials: readonly XksCredential[]
  /** Absent: the prefix asks for no client certificate. */
  readonly clientCertificate?: ClientCertificate | undefined
  /** Requests per second; absent: unlimited. */
  readonly quota?: number | undefined
  /**
   * Whether ciphertexts of AWS's sample proxy (aws-kms-xks-proxy) are decrypted as well, whose AAD for the HSM has a digest in the place of that
   * of the request: those of a fleet that was moved here with its keys. New ciphertexts are our own.
   */
  readonly sampleProxyAad: boolean
  readonly revision: number
}

/** Signs requests for the prefix that it belongs to. */
export interface XksCredential {
  /** Unique within its prefix. */
  readonly accessKeyId: string
  /** Ciphertext blob (see model/keys/ciphertext.ts) of the secret access key, bound to prefix and access key. */
  readonly sealedSecret: Uint8Array
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  /** Requests with an inactive one are refused. */
  readonly status: 'Active' | 'Inactive'
}

/** Which client certificates a prefix accepts. */
export interface ClientCertificate {
  /** For AWS KMS `cks.kms.<region>.amazonaws.com`. */
  readonly commonName: string
  /** PEM; absent: of the authorities in xks.listen.clientCaFile. */
  readonly ca?: string | undefined
}

/** The service principal as which every prefix calls: key policies name it. */
export const xksPrincipal = 'xks.strongroom'

/** Under which the last use of a credential is recorded, and to which its secret is bound: no id of an access key has a slash. */
export function credentialName(prefix: string, accessKeyId: string): string {
  return `xks/${prefix}/${accessKeyId}`
}
