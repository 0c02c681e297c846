/** HTTP to one XKS proxy: connections that are kept, verified TLS, and an answer of limited size within a time. */
import { readFileSync } from 'node:fs'
import { isIP, type LookupFunction } from 'node:net'
import {
  checkServerIdentity,
  createSecureContext,
  getCACertificates,
  type SecureContext,
  type TLSSocket,
} from 'node:tls'
import type { buildConnector, Dispatcher, Pool } from 'undici'
import { isPublicAddress, PrivateAddress, publicLookup } from './addresses.ts'
import { invalidResponse, ProxyFailure } from './proxy-failure.ts'

/** How the operator has a proxy reached: customKeyStores.proxies in the configuration. */
export interface ProxySettings {
  /** `host:port` where it really is, whatever the address. */
  readonly address?: string | undefined
  /** PEM files. */
  readonly caFile?: string | undefined
  readonly certificateFile?: string | undefined
  readonly keyFile?: string | undefined
}

export interface ConnectionOptions {
  /** Of the endpoint, without its scheme. */
  readonly host: string
  readonly settings: ProxySettings
  readonly allowPrivateAddresses: boolean
  readonly lookup: LookupFunction
  /** Connections, and so requests at a time. */
  readonly maxConnections: number
  /** Milliseconds for a request, its connection included. */
  readonly timeout: number
}

export interface Response {
  readonly status: number
  readonly contentType: string
  /** The header Date; empty if there is none. */
  readonly date: string
  readonly body: string
}

/** Bytes: the longest answer of the specification has about 6 kB. */
const longestBody = 32 * 1024
/** Milliseconds for which an idle connection is kept, unless the proxy asks for less. */
const keepAlive = 60_000

export type Undici = typeof import('undici')

export class Connection {
  readonly #pool: Pool
  readonly #timeout: number
  /** When the certificate of the proxy expires, in milliseconds since the epoch; of the last connection. */
  certificateExpiry: number | undefined

  /** Reads the files of the settings; throws if it cannot. @param undici it takes a tenth of a second to load, so it is not before it is needed */
  constructor(undici: Undici, options: ConnectionOptions) {
    this.#timeout = options.timeout
    const connect = this.#connector(undici, options)
    this.#pool = new undici.Pool(`https://${options.host}`, {
      connect,
      connections: options.maxConnections,
      allowH2: false,
      pipelining: 1,
      keepAliveTimeout: keepAlive,
      keepAliveMaxTimeout: keepAlive,
      // The timeout of a request is for all of it, and ends these as well.
      headersTimeout: 0,
      bodyTimeout: 0,
    })
  }

  /** Rejects with a ProxyFailure unless there is an answer, whatever it says. */
  async post(path: string, headers: Record<string, string>, body: string): Promise<Response> {
    const deadline = new Deadline(this.#timeout, () => {
      const detail = `no answer within ${this.#timeout} ms`
      return new ProxyFailure(this.#pool.stats.connected > 0 ? 'timedOut' : 'unreachable', detail)
    })
    try {
      const response = await this.#pool.request({ method: 'POST', path, headers, body, signal: deadline.signal })
      return {
        status: response.statusCode,
        contentType: headerOf(response, 'content-type'),
        date: headerOf(response, 'date'),
        body: await bodyOf(response),
      }
    } catch (thrown) {
      throw asProxyFailure(deadline.signal.aborted ? deadline.signal.reason : thrown)
    } finally {
      deadline.clear()
    }
  }

  /** Finishes the requests in flight, none of which takes longer than its time. */
  close(): Promise<void> {
    return this.#pool.close()
  }

  #connector(undici: Undici, options: ConnectionOptions): buildConnector.connector {
    const { host, settings, allowPrivateAddresses, lookup, timeout } = options
    const place = settings.address === undefined ? undefined : placeOf(settings.address)
    const isAnywhere = place !== undefined || allowPrivateAddresses
    const connector = undici.buildConnector({
      allowH2: false,
      timeout,
      lookup: isAnywhere ? lookup : publicLookup(lookup),
      secureContext: secureContextOf(settings),
      checkServerIdentity: (_place, certificate) => checkServerIdentity(host, certificate),
    })
    return (wanted, callback) => {
      // Node.js does not look up an address.
      if (!isAnywhere && isIP(host) !== 0 && !isPublicAddress(host)) return callback(new PrivateAddress(host), null)
      connector({ ...wanted, ...place, servername: isIP(host) === 0 ? host : '' }, (...[error, socket]) => {
        if (error) return callback(error, null)
        this.certificateExpiry = expiryOf(socket as TLSSocket) ?? this.certificateExpiry
        callback(null, socket)
      })
    }
  }
}

/** Undefined for a resumed session that does not have the certificate. */
function expiryOf(socket: TLSSocket): number | undefined {
  const { valid_to } = socket.getPeerCertificate()
  return valid_to === undefined ? undefined : Date.parse(valid_to)
}

function placeOf(address: string): { readonly hostname: string; readonly port: string } {
  const { hostname, port } = new URL(`tcp://${address}`)
  return { hostname: hostname.replace(/^\[|\]$/g, ''), port }
}

/** Reads the files anew, so that they can be replaced while the gateway runs. */
function secureContextOf({ caFile, certificateFile, keyFile }: ProxySettings): SecureContext {
  if (caFile === undefined && certificateFile === undefined) return systemContext()
  return createSecureContext({
    minVersion,
    ca: caFile === undefined ? systemCertificates() : readFileSync(caFile),
    ...(certificateFile !== undefined && { cert: readFileSync(certificateFile) }),
    ...(keyFile !== undefined && { key: readFileSync(keyFile) }),
  })
}

const minVersion = 'TLSv1.2'
let knownSystemContext: SecureContext | undefined

/** Made once: that takes a quarter of a second, for which everything else waits. */
function systemContext(): SecureContext {
  knownSystemContext ??= createSecureContext({ minVersion, ca: systemCertificates() })
  return knownSystemContext
}

/** Of a system that has none, those of Node.js. */
function systemCertificates(): string[] | undefined {
  const certificates = getCACertificates('system')
  return certificates.length > 0 ? certificates : undefined
}

/** Ends a request. What arrived while the process had no time is read first: then it was not the proxy that took so long. */
class Deadline {
  readonly #controller = new AbortController()
  readonly #timer: NodeJS.Timeout
  #immediate: NodeJS.Immediate | undefined

  /** @param failure called when it is over, while the connection still is as it was */
  constructor(milliseconds: number, failure: () => ProxyFailure) {
    this.#timer = setTimeout(() => {
      this.#immediate = setImmediate(() => this.#controller.abort(failure()))
    }, milliseconds)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  clear(): void {
    clearTimeout(this.#timer)
    clearImmediate(this.#immediate)
  }
}

async function bodyOf({ headers, body }: Dispatcher.ResponseData): Promise<string> {
  const pieces: Buffer[] = []
  let length = Number(headers['content-length'] ?? 0)
  try {
    if (length > longestBody) throw tooLong(length)
    length = 0
    for await (const piece of body as AsyncIterable<Buffer>) {
      length += piece.length
      if (length > longestBody) throw tooLong(length)
      pieces.push(piece)
    }
  } finally {
    body.destroy()
  }
  return Buffer.concat(pieces).toString()
}

function tooLong(length: number): ProxyFailure {
  return invalidResponse(`a body of ${length} bytes or more`)
}

function headerOf({ headers }: Dispatcher.ResponseData, name: string): string {
  const value = headers[name]
  return typeof value === 'string' ? value : ''
}

/** What the other side sent is not an answer. */
const noAnswer = /^UND_ERR_(?:HEADERS_OVERFLOW|RES)/
/** Of OpenSSL, also for certificates: Node.js, "X509 certificate error codes". Any other is one of the network. */
const tls =
  /^(?:EPROTO|ERR_(?:SSL|TLS)_.*|UNABLE_TO_.*|INVALID_(?:CA|PURPOSE)|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH|.*(?:CERT|CRL).*)$/

function asProxyFailure(thrown: unknown): unknown {
  if (thrown instanceof ProxyFailure) return thrown
  const { name, code, message } = thrown as NodeJS.ErrnoException
  const detail = `${code}: ${message}`
  if (thrown instanceof PrivateAddress) return new ProxyFailure('unreachable', message, { cause: thrown })
  if (name === 'HTTPParserError') return invalidResponse(message)
  if (code === undefined || code.startsWith('UND_ERR_INVALID')) return thrown
  // undici's error for an interim response 100, for which no request of ours asks.
  const isInvalid = noAnswer.test(code) || message === 'bad response'
  const kind = isInvalid ? 'invalidResponse' : tls.test(code) ? 'tls' : 'unreachable'
  return new ProxyFailure(kind, detail, { cause: thrown })
}
