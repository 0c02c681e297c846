/** What is inspected of an XKS proxy, and found. */

export interface Endpoint {
  readonly host: string
  /** `host:port` where it really is; absent: port 443 of the host. */
  readonly address?: string | undefined
  /** PEM file. */
  readonly caFile?: string | undefined
}

/** Sentences. What is a problem keeps AWS KMS from using the proxy; a warning may. */
export interface ProxyReport {
  addresses?: readonly string[]
  tls?: readonly string[]
  certificate?: string
  roundTrip?: string
  clock?: string
  keys?: string
  readonly warnings: string[]
  readonly problems: string[]
}
