/** How KMS authenticates itself to an XKS proxy: XKS Proxy API Specification 1.0.3, "Authentication" and appendix A. */

/** Service name of the signatures (AWS Signature Version 4). */
export const signingService = 'kms-xks-proxy'

/** Seconds by which the time of a request may differ from that of the proxy. */
export const greatestClockSkew = 300

export function isXksAccessKeyId(text: string): boolean {
  return /^[A-Z2-7]{20,30}$/.test(text)
}

export function isXksSecretAccessKey(text: string): boolean {
  return /^[a-zA-Z0-9/+=]{43,64}$/.test(text)
}

/** What the console of AWS KMS imports: the specification, "XKS proxy configuration in AWS KMS console". */
export interface XksProxyConfiguration {
  readonly XksProxyUriPath: string
  readonly XksProxyAuthenticationCredential: {
    readonly AccessKeyId: string
    readonly RawSecretAccessKey: string
  }
}
