/** Which token, and where its PIN is. */

/** Never by slot number: those change. */
export interface TokenAddress {
  /** Path of the vendor's PKCS#11 library. */
  readonly library: string
  /** For C_Initialize; few libraries need any, such as NSS. */
  readonly libraryParameters?: string | undefined
  /** Label, serial number, or both. */
  readonly tokenLabel?: string | undefined
  readonly tokenSerial?: string | undefined
}

/** One of the two, or neither: then the gateway sends the PIN, the password of a custom key store. */
export interface PinSource {
  /** File whose only line is the PIN. */
  readonly pinFile?: string | undefined
  /** Variable of the environment of the process that logs in. */
  readonly pinVariable?: string | undefined
}
