/** Sizes in the XKS Proxy API: XKS Proxy API Specification 1.0.3. All are of the bytes before base64, unless they say characters. */

/** What the two length bytes of the HSM's AAD can state (see `hsmAad`). */
export const longestAad = 65_535

/** KMS refuses a longer ciphertextMetadata. */
export const longestCiphertextMetadata = 20

export const ivLengths: readonly number[] = [12, 16]
export const tagLength = 16

/** Characters that every ARN of requestMetadata may have. */
export const longestArn = 2048

/** Entries of keyUsage. */
export const mostKeyUsages = 10

/** Entries of ekmFleetDetails, of which there is at least one. */
export const mostExternalKeyManagers = 10

/** Milliseconds in which KMS expects the answer, connecting included. */
export const answerTimeout = 250
