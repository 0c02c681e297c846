/** Messages under one AES-GCM key with random IVs: NIST SP 800-38D, section 8.3, allows 2^32. */
export const encryptionLimit = 2 ** 32
/** From here on, the operator is warned. */
export const manyEncryptions = encryptionLimit / 2
/** From here on, a key is rotated. The rest takes 30 hours at 10,000 per second: longer than the clock that dates the rotation may be unstable. */
export const rotationThreshold = (encryptionLimit / 4) * 3
