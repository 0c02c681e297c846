import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { ApiRequest, ApiResponse } from '../apis/api.ts'
import type { Failure } from '../errors.ts'
import type { ConnectionMetrics } from '../services.ts'
import { Body, type BodyBudget } from './body.ts'
import type { ReceivedRequest } from './received-request.ts'
import { aborted } from './refusals.ts'
import { apiRequest, type Peer, unreadableRequest } from './request.ts'
import type { RawExchange, Respond } from './router.ts'

/** What a connection needs of its listener. */
export interface ConnectionHost {
  readonly maxBodySize: number
  readonly budget: BodyBudget
  readonly closing: boolean
  readonly respond: Respond
  /** Called when the work for a request begins, and when it ends. */
  began(): void
  ended(): void
  /** Called when the connection becomes busy with a request, and when it becomes idle. */
  busy(connection: Connection): void
  idle(connection: Connection): void
  /** False when too many requests wait behind others, on all connections together. */
  mayWait(): boolean
  /** Called with an unexpected error; the connection is closed. */
  broke(error: unknown): void
  waitedFor(requests: number): void
}

/** Milliseconds. */
const deadlines = {
  /** For the caller to take an answer, and when the server closes. */
  write: 20_000,
  writeWhenClosing: 2000,
  /** For the caller to send the rest of a body that was refused, or to read why and hang up. */
  linger: 2000,
  /** When the server closes, for a request to be sent to its end. */
  receiveWhenClosing: 1000,
}

interface Exchange extends RawExchange {
  readonly expectsContinue: boolean
  readonly body: Body
}

type AbortReason = Parameters<ConnectionMetrics['connectionAborted']>[0]

/**
 * One connection. Its requests are answered one after another, each only once the caller has taken the answer before it: what a
 * connection costs is bounded, however many requests are sent ahead.
 */
export class Connection {
  readonly socket: Socket
  readonly #host: ConnectionHost
  readonly #peer: Peer
  #current: Exchange | undefined
  #waiting: Exchange[] = []
  /** Since when the caller has not taken the answer. */
  #answeredAt: number | undefined
  /** A request that was answered before its body came to its end, and since when that is waited for. */
  #unread: { readonly request: ReceivedRequest; readonly since: number } | undefined
  /** Set once something came that is not HTTP: nothing after it can be read. */
  #refusal: Failure | undefined
  /** Since when nothing is sent any more. */
  #endedAt: number | undefined

  constructor(socket: Socket, host: ConnectionHost) {
    this.socket = socket
    this.#host = host
    this.#peer = { sourceAddress: socket.remoteAddress ?? '', secure: 'encrypted' in socket }
    socket.once('close', () => host.waitedFor(this.#waiting.splice(0).length))
    // How Node.js ends a connection after its last answer. Unread bytes would make that a reset, and the answer could be lost.
    socket.destroySoon = () => this.#end()
  }

  /** A request whose headers have come. */
  take(request: ReceivedRequest, response: ServerResponse, expectsContinue: boolean): void {
    if (this.socket.destroyed || this.#refusal || this.#endedAt !== undefined) return
    const body = new Body(request, this.#host.maxBodySize, this.#host.budget)
    const exchange = { request, response, expectsContinue, body }
    if (!this.#current) {
      this.#begin(exchange)
    } else if (this.#host.mayWait()) {
      this.#waiting.push(exchange)
      this.socket.pause()
    } else {
      this.socket.destroy()
    }
  }

  #begin(exchange: Exchange): void {
    const { request, response, expectsContinue, body } = exchange
    this.#current = exchange
    this.#host.busy(this)
    response.on('close', () => this.#ended(exchange))
    // It is the body of this request that could not be read.
    if (this.#refusal && !request.complete) body.fail(this.#refusal)
    const read = () => {
      if (expectsContinue && !body.wasAskedFor && !body.failed) response.writeContinue()
      return body.read()
    }
    this.#respond(apiRequest(request, this.#peer, body, read), exchange)
  }

  /** @param exchange where it could be read as HTTP */
  async #respond(request: ApiRequest, exchange?: Exchange): Promise<void> {
    this.#host.began()
    try {
      const answer = await this.#host.respond(request, exchange)
      if (exchange) this.#answer(exchange, answer)
      else this.#writeRefusal(answer)
    } catch (error) {
      this.#host.broke(error)
      this.socket.destroy()
    } finally {
      this.#host.ended()
    }
  }

  #answer({ request, response, expectsContinue, body: read }: Exchange, answer: ApiResponse): void {
    read.release()
    if (this.#refusal && !request.complete) {
      this.#writeRefusal(answer)
      return
    }
    if (response.destroyed || response.closed) return
    const isLast = this.#host.closing && this.#waiting.length === 0
    // Whether a client that waits for "100 Continue" sends the body of a refused request is unknown: the next bytes may be the body or a
    // request.
    const isLost = !request.complete && (expectsContinue || !read.canBeSkipped)
    if (isLast || isLost) response.shouldKeepAlive = false
    this.#answeredAt = performance.now()
    const { status, headers, body } = answer
    response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(body) }).end(body)
  }

  /** The caller has taken the answer, or the connection is gone. */
  #ended({ request, response, body }: Exchange): void {
    if (body.isPending) body.fail(aborted())
    this.#current = undefined
    this.#answeredAt = undefined
    this.#unread = request.complete ? undefined : { request, since: performance.now() }
    // What is sent after the last request of a connection is none (RFC 9112, section 9.6).
    if (this.socket.destroyed || !response.shouldKeepAlive) return
    const next = this.#waiting.shift()
    if (!next) {
      this.#rest()
      return
    }
    this.#host.waitedFor(1)
    this.#current = next
    // Not at once: thousands that were sent ahead would be answered before any other connection is looked at.
    setImmediate(() => {
      if (this.socket.destroyed) return
      if (this.#waiting.length === 0) this.socket.resume()
      this.#begin(next)
    })
  }

  #rest(): void {
    if (!this.#refusal) this.#host.idle(this)
    else if (this.#unread) this.#end()
    else this.#refuse(this.#refusal)
  }

  /** Unreadable input: the request, or else the connection, is answered, and nothing more is read. */
  refuse(failure: Failure): void {
    if (this.#refusal || this.socket.destroyed) return
    this.#refusal = failure
    this.#stopParsing()
    if (!this.#current) this.#rest()
    else if (!this.#current.request.complete) this.#current.body.fail(failure)
  }

  #refuse(failure: Failure): void {
    this.#host.busy(this)
    this.#respond(unreadableRequest(this.#peer, failure))
  }

  /** Without Node.js's own writer, which needs a request. */
  #writeRefusal({ status, headers, body }: ApiResponse): void {
    if (!this.socket.writable) {
      this.socket.destroy()
      return
    }
    const all = { ...headers, 'Content-Length': Buffer.byteLength(body), Connection: 'close' }
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
    this.socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n`)
    this.socket.write(body)
    this.#end()
  }

  /** Sends nothing more, and waits for the client to close (RFC 9112, section 9.6). */
  #end(): void {
    if (this.#endedAt !== undefined) return
    this.#endedAt = performance.now()
    this.#stopParsing()
    this.socket.end()
  }

  /** Further input is read and discarded, not parsed. */
  #stopParsing(): void {
    this.socket.removeAllListeners('data').removeAllListeners('end')
    this.socket.on('data', () => {}).resume()
  }

  /**
   * Why the connection must be closed now; undefined if it need not.
   * @param now of `performance.now()`
   * @param closingSince when the server began to close
   */
  overdue(now: number, closingSince: number | undefined): AbortReason | undefined {
    const isClosing = closingSince !== undefined
    const write = isClosing ? deadlines.writeWhenClosing : deadlines.write
    if (this.#answeredAt !== undefined && now - this.#answeredAt > write) return 'not_read'
    if (this.#endedAt !== undefined && now - this.#endedAt > deadlines.linger) return 'not_closed'
    const unread = this.#unread
    if (unread && !unread.request.complete && now - unread.since > deadlines.linger) return 'body_not_sent'
    if (!isClosing || now - closingSince < deadlines.receiveWhenClosing) return undefined
    if (!this.#current && this.#endedAt === undefined) return 'shutdown'
    return undefined
  }

  /** When the server closes: a body that is still being received is refused. */
  stopReceiving(failure: Failure): void {
    if (this.#current?.body.isAwaited) this.#current.body.fail(failure)
  }
}
