import { X509Certificate } from 'node:crypto'

/** The certificates of a PEM text (RFC 7468, section 5.1), with explanations around them; at least one. Throws if one of them is none. */
export function certificatesIn(pem: string): readonly X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g)
  if (blocks === null) throw new Error('no certificate in PEM')
  return blocks.map(block => new X509Certificate(block))
}
