/** AWS Signature Version 4 as KMS signs requests to an XKS proxy, and every way to get it wrong. Independent of the code under test. */
import { createHash, createHmac } from 'node:crypto'

export interface Credential {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

export interface Signing extends Credential {
  readonly region: string
  readonly service: string
  /** The last part of the scope. */
  readonly terminator: string
  readonly algorithm: string
  /** X-Amz-Date: YYYYMMDD'T'HHMMSS'Z'. */
  readonly time: string
  /** Of the scope, if it is not that of the time. */
  readonly scopeDate: string | undefined
  /** In place of the digest of the body. */
  readonly payloadHash: string | undefined
  /** Lower case, sorted. */
  readonly signedHeaders: readonly string[]
}

interface Signed {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** The value of the header Authorization. */
export function authorization({ method, path, headers, body }: Signed, signing: Signing): string {
  const { signedHeaders, time, algorithm } = signing
  const names = signedHeaders.join(';')
  const lines = signedHeaders.map(name => `${name}:${headers[name] ?? ''}\n`).join('')
  const payload = signing.payloadHash ?? sha256(body)
  const canonical = `${method}\n${path}\n\n${lines}\n${names}\n${payload}`
  const date = signing.scopeDate ?? time.slice(0, 8)
  const scope = [date, signing.region, signing.service, signing.terminator]
  const toSign = ['AWS4-HMAC-SHA256', time, scope.join('/'), sha256(Buffer.from(canonical))].join('\n')
  const key = scope.reduce<string | Buffer>((key, part) => hmac(key, part), `AWS4${signing.secretAccessKey}`)
  const signature = hmac(key, toSign).toString('hex')
  const credential = `${signing.accessKeyId}/${scope.join('/')}`
  return `${algorithm} Credential=${credential}, SignedHeaders=${names}, Signature=${signature}`
}

/** @param offset seconds from now */
export function amzDate(offset = 0): string {
  return new Date(Date.now() + offset * 1000).toISOString().replace(/[-:]|\.\d+/g, '')
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
