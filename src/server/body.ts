import type { IncomingMessage } from 'node:http'
import { Failure } from '../errors.ts'

/** Request bodies: read only when they are asked for, each within its limit, and all of them within one budget. */

const nothing = Buffer.alloc(0)
/** Bytes of the first buffer of a body that comes in pieces; it doubles as the body grows. */
const firstBuffer = 4096

/** Memory for the bodies of all connections: what is asked for beyond it ends the bodies that have been incomplete the longest. */
export class BodyBudget {
  #free: number
  /** In the order in which they began. */
  readonly #incomplete = new Set<Body>()

  /** @param bytes held at most, in all bodies together */
  constructor(bytes: number) {
    this.#free = bytes
  }

  begin(body: Body): void {
    this.#incomplete.add(body)
  }

  completed(body: Body): void {
    this.#incomplete.delete(body)
  }

  /** True when the body may hold so many bytes more. Otherwise it has failed. */
  take(body: Body, bytes: number): boolean {
    this.#free -= bytes
    body.held += bytes
    if (this.#free >= 0) return true
    for (const oldest of this.#incomplete) {
      oldest.fail(new Failure('ThrottlingException', 'Too many request bodies are being received.'))
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

/** The body of one request. It is not read from the connection before `read` is called. */
export class Body {
  /** Bytes charged to the budget. */
  held = 0
  failed = false
  readonly #request: IncomingMessage
  readonly #limit: number
  readonly #budget: BodyBudget
  /** What Content-Length says. */
  readonly #announced: number | undefined
  readonly #whole = Promise.withResolvers<Uint8Array>()
  #wasAskedFor = false
  #isReading = false
  #bytes: Buffer = nothing
  #length = 0

  /** @param limit bytes; a longer body fails with RequestEntityTooLargeException */
  constructor(request: IncomingMessage, limit: number, budget: BodyBudget) {
    this.#request = request
    this.#limit = limit
    this.#budget = budget
    const { 'content-length': length, 'transfer-encoding': encoding } = request.headers
    this.#announced = encoding === undefined ? Number(length ?? 0) : undefined
    this.#whole.promise.catch(() => {})
  }

  get wasAskedFor(): boolean {
    return this.#wasAskedFor
  }

  get isReading(): boolean {
    return this.#isReading
  }

  get announcedTooLong(): boolean {
    return this.#announced !== undefined && this.#announced > this.#limit
  }

  /**
   * The whole body, the same at each call. Rejects with RequestEntityTooLargeException, ThrottlingException (no room in the
   * budget), or what `fail` was called with.
   */
  read(): Promise<Uint8Array> {
    if (this.#wasAskedFor || this.failed) return this.#whole.promise
    this.#wasAskedFor = true
    if (this.#announced === 0) {
      this.#whole.resolve(nothing)
      return this.#whole.promise
    }
    this.#isReading = true
    this.#budget.begin(this)
    this.#request.on('data', this.#onData).once('end', this.#onEnd)
    return this.#whole.promise
  }

  /** Ends the reading of a body that is not whole: what still comes of it is discarded. */
  fail(failure: Failure): void {
    if (this.failed) return
    this.failed = true
    this.#stop()
    this.release()
    this.#whole.reject(failure)
  }

  /** Gives the memory back: nobody uses the bytes any more. */
  release(): void {
    this.#budget.giveBack(this)
    this.#bytes.fill(0)
    this.#bytes = nothing
  }

  readonly #onData = (chunk: Buffer) => {
    const end = this.#length + chunk.length
    if (end > this.#limit) {
      this.fail(bodyTooLarge())
      return
    }
    if (chunk.length === this.#announced) {
      if (!this.#budget.take(this, chunk.length)) return
      this.#bytes = chunk
    } else {
      if (end > this.#bytes.length && !this.#grow(end)) return
      chunk.copy(this.#bytes, this.#length)
      chunk.fill(0)
    }
    this.#length = end
  }

  /** One buffer for many pieces: each piece by itself would take some hundred bytes, however short it is. */
  #grow(needed: number): boolean {
    const most = Math.min(this.#announced ?? this.#limit, this.#limit)
    const size = Math.min(Math.max(needed, 2 * this.#bytes.length, firstBuffer), most)
    if (!this.#budget.take(this, size - this.#bytes.length)) return false
    const grown = Buffer.alloc(size)
    this.#bytes.copy(grown, 0, 0, this.#length)
    this.#bytes.fill(0)
    this.#bytes = grown
    return true
  }

  readonly #onEnd = () => {
    this.#stop()
    this.#budget.completed(this)
    this.#whole.resolve(this.#length === this.#bytes.length ? this.#bytes : this.#bytes.subarray(0, this.#length))
  }

  #stop(): void {
    this.#isReading = false
    this.#request.off('data', this.#onData).off('end', this.#onEnd).resume()
  }
}

export function bodyTooLarge(): Failure {
  return new Failure('RequestEntityTooLargeException', 'The request body is too large.')
}
