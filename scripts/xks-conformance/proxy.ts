/** The XKS proxy under test, as KMS calls it: HTTPS over IPv4, HTTP/1.1, signed. */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Agent, request as httpsRequest } from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'
import { connect, type TLSSocket } from 'node:tls'
import type { Options } from './options.ts'
import { amzDate, authorization, type Signing } from './signature.ts'

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  /** Whether an earlier request had its connection. */
  readonly reused: boolean
  /** Milliseconds, connecting included. */
  readonly duration: number
}

export interface Call {
  readonly method?: string
  /** Sent as it is, if not as JSON. */
  readonly body?: unknown
  /** Differences from the correct signature; undefined members are left as they are. */
  readonly signing?: Partial<Signing>
  /** Added after signing, or in place of others; undefined leaves one out. */
  readonly headers?: Readonly<Record<string, string | undefined>>
  /** Added before signing. */
  readonly signedHeaders?: Readonly<Record<string, string>>
  /** Connects anew. */
  readonly fresh?: boolean
}

export interface Sent {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

export type KeyOperation = 'metadata' | 'encrypt' | 'decrypt'

const mostAttempts = 10

export class XksProxy {
  readonly options: Options
  /** Requests that were sent again. */
  repeated = 0
  readonly #tls
  readonly #agent: Agent

  constructor(options: Options) {
    this.options = options
    const { ca, clientCertificate, clientKey } = options
    this.#tls = {
      ...(ca !== undefined && { ca: readFileSync(ca) }),
      ...(clientCertificate !== undefined && { cert: readFileSync(clientCertificate), key: readFileSync(clientKey!) }),
    }
    // KMS reaches proxies over IPv4 only.
    this.#agent = new Agent({ keepAlive: true, family: 4, ...this.#tls })
  }

  close(): void {
    this.#agent.destroy()
  }

  get host(): string {
    return this.options.url.host
  }

  /** Below the host. @param path below `/kms/xks/v1` */
  pathOf(path: string): string {
    return `${this.options.url.pathname}/${path}`
  }

  keyPath(operation: KeyOperation, key = this.options.key): string {
    return this.pathOf(`keys/${key}/${operation}`)
  }

  /** A complete requestMetadata of an operation. */
  requestMetadata(kmsOperation: string): Record<string, unknown> {
    const { principalArn: awsPrincipalArn, kmsKeyArn, viaService } = this.options
    const kmsRequestId = randomUUID()
    return { awsPrincipalArn, kmsKeyArn, kmsOperation, kmsRequestId, ...(viaService && { kmsViaService: viaService }) }
  }

  /** Rejects if there is no answer. @param path below the host */
  call(path: string, call: Call = {}): Promise<Answer> {
    return this.send(this.signed(path, call), call.fresh)
  }

  signed(path: string, { method = 'POST', body = {}, signing, headers: after, signedHeaders }: Call = {}): Sent {
    const bytes = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
    const { accessKeyId, secretAccessKey, region } = this.options
    const time = signing?.time ?? amzDate()
    const added = signedHeaders ?? {}
    const headers = { host: this.host, 'x-amz-date': time, 'content-type': 'application/json', ...added }
    const authorized = authorization(
      { method, path, headers, body: bytes },
      {
        accessKeyId,
        secretAccessKey,
        region,
        service: 'kms-xks-proxy',
        terminator: 'aws4_request',
        algorithm: 'AWS4-HMAC-SHA256',
        scopeDate: undefined,
        payloadHash: undefined,
        signedHeaders: ['host', 'x-amz-date', ...Object.keys(added)].sort(),
        ...signing,
        time,
      },
    )
    const all = { ...headers, authorization: authorized, 'content-length': String(bytes.length), ...after }
    const present = Object.entries(all).filter(([, value]) => value !== undefined) as [string, string][]
    return { method, path, body: bytes, headers: Object.fromEntries(present) }
  }

  /** What is refused because of the load, 429 or 503, is sent again, as KMS does: it says nothing about conformance. */
  async send(sent: Sent, fresh = false): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      const answer = await this.#exchange(sent, fresh)
      if (![429, 503].includes(answer.status) || attempt === mostAttempts) return answer
      this.repeated++
      await delay(attempt * 50)
    }
  }

  #exchange({ method, path, headers, body }: Sent, fresh: boolean): Promise<Answer> {
    const start = performance.now()
    const { hostname, port } = this.#address()
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    const request = httpsRequest({
      host: hostname,
      port,
      servername: this.options.url.hostname,
      method,
      path,
      headers,
      agent: fresh ? new Agent({ family: 4, ...this.#tls }) : this.#agent,
      timeout: this.options.timeout,
    })
    request.on('timeout', () => request.destroy(new Error(`no answer within ${this.options.timeout} ms`)))
    request.on('error', reject)
    request.on('response', response => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('error', reject)
      response.on('end', () => {
        const { statusCode: status = 0, headers } = response
        const { reusedSocket: reused } = request
        resolve({ status, headers, text: Buffer.concat(parts).toString(), reused, duration: performance.now() - start })
      })
    })
    request.end(body)
    return promise
  }

  /** Resolves to what is received until the proxy closes the connection, `enough` says so, or the time is over. */
  async raw(bytes: Buffer, enough: (text: string) => boolean): Promise<string> {
    const socket = await this.connect({})
    try {
      let text = ''
      const { promise, resolve } = Promise.withResolvers<void>()
      socket.setTimeout(this.options.timeout, resolve)
      socket.on('close', resolve)
      socket.on('data', part => {
        text += part.toString('latin1')
        if (enough(text)) resolve()
      })
      socket.write(bytes)
      await promise
      return text
    } finally {
      socket.destroy()
    }
  }

  /** Resolves to a connection, after the handshake. With TLS 1.3 a proxy refuses a client certificate after that only. */
  async connect(options: object): Promise<TLSSocket> {
    const { hostname: host, port } = this.#address()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const servername = this.options.url.hostname
    const socket = connect({ host, port, family: 4, servername, ...this.#tls, ...options } as never, resolve)
    socket.setTimeout(this.options.timeout, () => socket.destroy(new Error('no TLS handshake in time')))
    socket.on('error', reject)
    await promise
    return socket
  }

  #address(): { readonly hostname: string; readonly port: number } {
    const { connectTo, url } = this.options
    return connectTo ?? { hostname: url.hostname, port: Number(url.port || 443) }
  }
}
