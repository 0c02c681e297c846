import { Failure } from '../errors.ts'
import type { BodySink, ReceivedRequest } from './received-request.ts'
import { bodyTooLarge, malformed } from './refusals.ts'

/** Request bodies: read on demand, each within its limit, and all of them within one memory budget. */

const nothing = Buffer.alloc(0)
/** Bytes of the first buffer of a body in pieces; it doubles as the body grows. */
const firstBuffer = 4096
/** Each piece, even a byte, costs an event. The longest valid body has about a hundred. */
const maximumPieces = 4096

/** Memory for the bodies of all connections: beyond it, the bodies that have been incomplete the longest are aborted. */
export class BodyBudget {
  #free: number
  /**
   * In the order of their first bytes. Not those that come in one piece: a Set's old tables, one after another, keep what was in them alive
   * until the next full garbage collection.
   */
  readonly #incomplete = new Set<Body>()

  /** @param bytes for all bodies together */
  constructor(bytes: number) {
    this.#free = bytes
  }

  completed(body: Body): void {
    this.#incomplete.delete(body)
  }

  /**
   * Whether the body may take that many more bytes; otherwise it has failed.
   * @param isAll whether these are the last
   */
  take(body: Body, bytes: number, isAll: boolean): boolean {
    this.#free -= bytes
    body.held += bytes
    if (!isAll) this.#incomplete.add(body)
    if (this.#free >= 0) return true
    for (const oldest of [...this.#incomplete, body]) {
      oldest.fail(new Failure('Throttling', 'Too many request bodies are being received.'))
      if (this.#free >= 0) break
    }
    return !body.failed
  }

  giveBack(body: Body): void {
    this.#free += body.held
    body.held = 0
    this.#incomplete.delete(body)
  }
}

/**
 * The body of one request. Its pieces are taken directly from the parser: with Node.js's own queue and events, a body in chunks of one byte
 * would cost some hundred bytes for each. Until it is requested, no more than one piece of the connection is read.
 */
export class Body implements BodySink {
  /** Bytes charged to the budget. */
  held = 0
  #failure: Failure | undefined
  #complete = false
  #whole: Promise<Uint8Array> | undefined
  #settle: Pick<PromiseWithResolvers<Uint8Array>, 'resolve' | 'reject'> | undefined
  readonly #request: ReceivedRequest
  readonly #limit: number
  readonly #budget: BodyBudget
  /** Content-Length; undefined for chunks. */
  readonly #announced: number | undefined
  #bytes: Buffer = nothing
  #length = 0
  #pieces = 0

  /** @param limit bytes; a longer body fails with RequestEntityTooLarge */
  constructor(request: ReceivedRequest, limit: number, budget: BodyBudget) {
    this.#request = request
    this.#limit = limit
    this.#budget = budget
    const { 'content-length': length, 'transfer-encoding': encoding } = request.lines
    this.#announced = encoding === undefined ? Number(length ?? 0) : undefined
    if (this.#announced === 0) this.#complete = true
    else request.sink = this
  }

  get failed(): boolean {
    return this.#failure !== undefined
  }

  get wasAskedFor(): boolean {
    return this.#whole !== undefined
  }

  /** Whether it may still fail. */
  get isPending(): boolean {
    return !this.#complete && !this.failed
  }

  /** Requested, but not complete yet. */
  get isAwaited(): boolean {
    return this.isPending && this.wasAskedFor
  }

  get announcedTooLong(): boolean {
    return this.#announced !== undefined && this.#announced > this.#limit
  }

  /** Whether an unread rest can be skipped by the parser, so that another request can follow. */
  get canBeSkipped(): boolean {
    return !this.failed && this.#announced !== undefined && !this.announcedTooLong
  }

  /**
   * The whole body, the same at each call. Rejects with RequestEntityTooLarge, Throttling (no room in the
   * budget), MalformedHttpRequest (too many pieces), or what `fail` was called with.
   */
  read(): Promise<Uint8Array> {
    this.#whole ??= this.#begin()
    return this.#whole
  }

  #begin(): Promise<Uint8Array> {
    if (this.#complete) return Promise.resolve(this.#content())
    if (this.#failure) return Promise.reject(this.#failure)
    const { promise, ...settle } = Promise.withResolvers<Uint8Array>()
    this.#settle = settle
    this.#request.socket.resume()
    return promise
  }

  /** Aborts an incomplete body. */
  fail(failure: Failure): void {
    if (!this.isPending) return
    this.#failure = failure
    this.#request.socket.pause()
    this.release()
    this.#settle?.reject(failure)
  }

  /** Releases the memory: the bytes are no longer used. */
  release(): void {
    this.#budget.giveBack(this)
    this.#bytes.fill(0)
    this.#bytes = nothing
  }

  push(piece: Buffer | null): boolean {
    if (piece === null) this.#end()
    else if (!this.failed) this.#take(piece)
    return this.isAwaited || this.#length === this.#announced
  }

  #take(piece: Buffer): void {
    const end = this.#length + piece.length
    if (end > this.#limit) {
      this.fail(bodyTooLarge())
    } else if (++this.#pieces > maximumPieces) {
      this.fail(malformed('The request body comes in too many pieces.'))
    } else if (piece.length === this.#announced) {
      if (!this.#budget.take(this, piece.length, true)) return
      this.#bytes = piece
      this.#length = end
    } else if (end <= this.#bytes.length || this.#grow(end)) {
      piece.copy(this.#bytes, this.#length)
      piece.fill(0)
      this.#length = end
    }
  }

  /** One doubling buffer for all pieces; at most half of it is unused. */
  #grow(needed: number): boolean {
    const most = Math.min(this.#announced ?? this.#limit, this.#limit)
    const size = Math.min(Math.max(needed, 2 * this.#bytes.length, firstBuffer), most)
    if (!this.#budget.take(this, size - this.#bytes.length, false)) return false
    const grown = Buffer.alloc(size)
    this.#bytes.copy(grown, 0, 0, this.#length)
    this.#bytes.fill(0)
    this.#bytes = grown
    return true
  }

  #end(): void {
    if (this.failed) return
    this.#complete = true
    this.#budget.completed(this)
    this.#settle?.resolve(this.#content())
  }

  #content(): Uint8Array {
    return this.#length === this.#bytes.length ? this.#bytes : this.#bytes.subarray(0, this.#length)
  }
}
