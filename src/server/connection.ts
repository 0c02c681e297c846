import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { ApiRequest, ApiResponse } from '../apis/api.ts'
import type { Failure } from '../errors.ts'
import type { ConnectionMetrics } from '../services.ts'
import { Body, type BodyBudget } from './body.ts'
import type { ReceivedRequest } from './received-request.ts'
import { aborted } from './refusals.ts'
import { apiRequest, type Peer, peerOf, unreadableRequest } from './request.ts'
import type { RawExchange, Respond } from './router.ts'

/** The listener of a connection. */
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
  /** False if too many pipelined requests wait on all connections. */
  mayWait(): boolean
  /** Called with an unexpected error; the connection is closed. */
  broke(error: unknown): void
  waitedFor(requests: number): void
}

/** Milliseconds. */
const deadlines = {
  /** For the client to read an answer, and when the server closes. */
  write: 20_000,
  writeWhenClosing: 2000,
  /** For the client to send the rest of a refused body, or to read the error and close. */
  linger: 2000,
  /** For a request to be received, when the server closes. */
  receiveWhenClosing: 1000,
}

interface Exchange extends RawExchange {
  readonly expectsContinue: boolean
  readonly body: Body
}

type AbortReason = Parameters<ConnectionMetrics['connectionAborted']>[0]

/**
 * One connection. Its requests are answered one after another, each only after the client has read the previous answer: the cost of a
 * connection is bounded, however many requests are pipelined.
 */
export class Connection {
  readonly socket: Socket
  readonly #host: ConnectionHost
  readonly #peer: Peer
  #current: Exchange | undefined
  #waiting: Exchange[] = []
  /** When the unread answer was sent. */
  #answeredAt: number | undefined
  /** A request that was answered before the end of its body, and since when it is awaited. */
  #unread: { readonly request: ReceivedRequest; readonly since: number } | undefined
  /** Set after input that is not HTTP: nothing after it can be parsed. */
  #refusal: Failure | undefined
  /** When the connection was ended. */
  #endedAt: number | undefined

  constructor(socket: Socket, host: ConnectionHost) {
    this.socket = socket
    this.#host = host
    this.#peer = peerOf(socket)
    socket.once('close', () => host.waitedFor(this.#waiting.splice(0).length))
    // Called by Node.js after the last answer of a connection. With unread bytes that would be a reset, and the answer could be lost.
    socket.destroySoon = () => this.#end()
  }

  /** A request whose headers were received. */
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
    // The unreadable input is the body of this request.
    if (this.#refusal && !request.complete) body.fail(this.#refusal)
    const read = () => {
      if (expectsContinue && !body.wasAskedFor && !body.failed) response.writeContinue()
      return body.read()
    }
    this.#respond(apiRequest(request, this.#peer, body, read), exchange)
  }

  /** @param exchange if it is HTTP */
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
    const { status, headers, body } = answer
    if (isLast || isLost || headers.Connection === 'close') response.shouldKeepAlive = false
    this.#answeredAt = performance.now()
    response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(body) }).end(body)
  }

  /** The client has read the answer, or the connection is closed. */
  #ended({ request, response, body }: Exchange): void {
    if (body.isPending) body.fail(aborted())
    this.#current = undefined
    this.#answeredAt = undefined
    this.#unread = request.complete ? undefined : { request, since: performance.now() }
    // Input after the last request of a connection is ignored (RFC 9112, section 9.6).
    if (this.socket.destroyed || !response.shouldKeepAlive) return
    const next = this.#waiting.shift()
    if (!next) {
      this.#rest()
      return
    }
    this.#host.waitedFor(1)
    this.#current = next
    // Deferred, as thousands of pipelined requests would otherwise be answered before those of other connections.
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
