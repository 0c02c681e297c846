/** Where a token is, and where its PIN is to be read. */

/** Which token, in which library. Never by slot number: those change. */
export interface TokenAddress {
  /** Path of the vendor's PKCS#11 library. */
  readonly library: string
  /** What the library wants to be told in C_Initialize: only some do, as NSS. */
  readonly libraryParameters?: string | undefined
  /** One of label and serial is enough; given both, both must fit. */
  readonly tokenLabel?: string | undefined
  readonly tokenSerial?: string | undefined
}

/** One of the two. */
export interface PinSource {
  /** File whose only line is the PIN. */
  readonly pinFile?: string | undefined
  /** Variable of the environment of the process that logs in. */
  readonly pinVariable?: string | undefined
}
