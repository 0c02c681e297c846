/** Requests to the XKS proxy, signed as AWS KMS signs them. */
import { createHash, createHmac } from 'node:crypto'
import { Agent as HttpAgent, request as httpRequest, type RequestOptions } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { XksProxyConfiguration } from '../../src/model/xks/credentials.ts'
import { integrityAlgorithm } from '../../src/model/xks/messages.ts'

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  // biome-ignore lint/suspicious/noExplicitAny: of each operation its own
  readonly body: any
}

export interface Sending {
  readonly method?: string
  readonly region?: string
  readonly service?: string
  /** Milliseconds by which the clock of the sender is ahead. */
  readonly ahead?: number
  readonly signed?: boolean
  /** Sent in place of what was signed. */
  readonly sentBody?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly signedHeaders?: readonly string[]
}

export const requestMetadata = {
  awsPrincipalArn: 'arn:aws:iam::123456789012:user/Alice',
  kmsKeyArn: 'arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab',
  kmsOperation: 'Encrypt',
  kmsRequestId: '4112f4d6-db54-4af4-ae30-c55a22a8dfae',
}

export class XksClient {
  readonly #url: URL
  readonly #agent: HttpAgent | HttpsAgent
  readonly uriPath: string
  readonly #credential: { readonly accessKeyId: string; readonly secret: string }

  /** @param tls authorities, and the client's certificate */
  constructor(url: string, configuration: XksProxyConfiguration, tls: object = {}) {
    this.#url = new URL(url)
    const options = { keepAlive: true, ...tls }
    this.#agent = this.#url.protocol === 'https:' ? new HttpsAgent(options) : new HttpAgent(options)
    this.uriPath = configuration.XksProxyUriPath
    const { AccessKeyId, RawSecretAccessKey } = configuration.XksProxyAuthenticationCredential
    this.#credential = { accessKeyId: AccessKeyId, secret: RawSecretAccessKey }
  }

  /** @param path after the URI path. @param body an object, or the text of the body */
  async send(path: string, body: object | string, sending: Sending = {}): Promise<Answer> {
    const { method = 'POST', sentBody, signed = true } = sending
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const target = this.uriPath + path
    const headers: Record<string, string> = { 'content-type': 'application/json', ...sending.headers }
    if (signed) Object.assign(headers, this.#signature(method, target, text, sending))
    const { hostname, port } = this.#url
    const options = { method, hostname, port, path: target, headers, agent: this.#agent }
    return exchange(this.#url.protocol, options, sentBody ?? text)
  }

  health(): Promise<Answer> {
    return this.send('/health', { requestMetadata: { kmsRequestId: '1', kmsOperation: 'KmsHealthCheck' } })
  }

  /** As KMS asks before it creates a key: without its ARN. */
  metadata(id: string, sending: Sending = {}): Promise<Answer> {
    const { kmsKeyArn: _, ...metadata } = requestMetadata
    return this.send(`/keys/${id}/metadata`, { requestMetadata: { ...metadata, kmsOperation: 'CreateKey' } }, sending)
  }

  encrypt(id: string, plaintext: Uint8Array, rest: object = {}, sending: Sending = {}): Promise<Answer> {
    const body = {
      requestMetadata,
      plaintext: Buffer.from(plaintext).toString('base64'),
      encryptionAlgorithm: 'AES_GCM',
      ciphertextDataIntegrityValueAlgorithm: integrityAlgorithm,
      ...rest,
    }
    return this.send(`/keys/${id}/encrypt`, body, sending)
  }

  /** @param encrypted the answer of an encryption */
  decrypt(id: string, encrypted: object, rest: object = {}): Promise<Answer> {
    const { ciphertextDataIntegrityValue: _, ...sealed } = encrypted as Record<string, unknown>
    const metadata = { ...requestMetadata, kmsOperation: 'Decrypt' }
    return this.send(`/keys/${id}/decrypt`, {
      requestMetadata: metadata,
      encryptionAlgorithm: 'AES_GCM',
      ...sealed,
      ...rest,
    })
  }

  close(): void {
    this.#agent.destroy()
  }

  #signature(method: string, path: string, body: string, sending: Sending): Record<string, string> {
    const {
      region = 'us-east-1',
      service = 'kms-xks-proxy',
      ahead = 0,
      signedHeaders = ['host', 'x-amz-date'],
    } = sending
    const time = new Date(Date.now() + ahead).toISOString().replace(/[:-]|\.\d{3}/g, '')
    const scope = `${time.slice(0, 8)}/${region}/${service}/aws4_request`
    const all: Record<string, string> = { host: this.#url.host, 'x-amz-date': time, ...sending.headers }
    const lines = signedHeaders.map(name => `${name}:${all[name]}\n`).join('')
    const canonical = `${method}\n${path}\n\n${lines}\n${signedHeaders.join(';')}\n${sha256(body)}`
    const toSign = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${sha256(canonical)}`
    let key = Buffer.from(`AWS4${this.#credential.secret}`)
    for (const part of scope.split('/')) key = createHmac('sha256', key).update(part).digest()
    const signature = createHmac('sha256', key).update(toSign).digest('hex')
    const credential = `${this.#credential.accessKeyId}/${scope}`
    const authorization = `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`
    return { host: this.#url.host, 'x-amz-date': time, authorization }
  }
}

export function exchange(protocol: string, options: RequestOptions, body: string): Promise<Answer> {
  const send = protocol === 'https:' ? httpsRequest : httpRequest
  return new Promise((resolve, reject) => {
    const sent = send(options, response => {
      const chunks: Buffer[] = []
      response.on('data', chunk => chunks.push(chunk))
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        const isJson = response.headers['content-type'] === 'application/json'
        resolve({ status: response.statusCode!, headers: response.headers, body: isJson ? JSON.parse(text) : text })
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
