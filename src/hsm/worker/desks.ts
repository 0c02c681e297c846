/**
 * Where the calls of a worker wait for its threads, and the answers for the main thread: memory that they share. A desk holds one call,
 * then its answer; which desks have a call that nobody has taken is a ring of their numbers, written by the main thread alone.
 */
import type { Answer } from './handlers.ts'

/** What another thread needs to use the same desks. */
export interface SharedDesks {
  /** Int32s: `words`, the ring, then for each desk those of `deskWords`. */
  readonly control: SharedArrayBuffer
  readonly payloads: SharedArrayBuffer
  readonly count: number
}

/** `asked` and `taken` count calls, `answers` answers; `epoch` grows when sessions and handles are void. All of them may overflow. */
const words = { asked: 0, taken: 1, answers: 2, epoch: 3 } as const
const wordCount = Object.keys(words).length
const deskWords = { answered: 0, kind: 1, length: 2 } as const
const deskWordCount = Object.keys(deskWords).length

/** Bytes; the longest call has an encryption context of 8192 bytes and a ciphertext of 6144. */
const deskSize = 32 * 1024

/** One call as a thread finds it. */
export interface AskedCall {
  readonly desk: number
  /** Of the request frame. */
  readonly kind: number
  /** A copy. */
  readonly payload: Buffer
}

export class Desks {
  readonly shared: SharedDesks
  readonly #control: Int32Array<SharedArrayBuffer>
  readonly #payloads: Buffer
  /** Places of the ring: a power of two, so that it fits counters that overflow. */
  readonly #places: number

  constructor(shared: SharedDesks) {
    this.shared = shared
    this.#control = new Int32Array(shared.control)
    this.#payloads = Buffer.from(shared.payloads)
    this.#places = placesFor(shared.count)
  }

  static create(count: number): Desks {
    const length = wordCount + placesFor(count) + count * deskWordCount
    return new Desks({
      control: new SharedArrayBuffer(length * Int32Array.BYTES_PER_ELEMENT),
      payloads: new SharedArrayBuffer(count * deskSize),
      count,
    })
  }

  get count(): number {
    return this.shared.count
  }

  get epoch(): number {
    return Atomics.load(this.#control, words.epoch)
  }

  /** How many answers were ever given. */
  get answers(): number {
    return Atomics.load(this.#control, words.answers)
  }

  /** By the main thread: makes the threads forget. */
  renew(): void {
    Atomics.add(this.#control, words.epoch, 1)
  }

  /** By the main thread: puts a call on a desk that is free. */
  ask(desk: number, kind: number, payload: Buffer): void {
    this.#write(desk, kind, payload)
    const asked = Atomics.load(this.#control, words.asked)
    this.#control[this.#placeOf(asked)] = desk
    Atomics.store(this.#control, words.asked, asked + 1)
    Atomics.notify(this.#control, words.asked, 1)
  }

  /** By the main thread: the answer that lies there, if there is one. */
  takeAnswer(desk: number): Answer | undefined {
    const answered = this.#wordOf(desk) + deskWords.answered
    if (Atomics.load(this.#control, answered) === 0) return undefined
    this.#control[answered] = 0
    return this.#take(desk)
  }

  /** By the main thread: resolves when there are more answers than it has seen. */
  async answeredSince(seen: number): Promise<void> {
    const change = Atomics.waitAsync(this.#control, words.answers, seen)
    if (change.async) await change.value
  }

  /** By a thread: takes the call that waits longest, and sleeps until there is one. */
  next(): AskedCall {
    for (;;) {
      const taken = Atomics.load(this.#control, words.taken)
      if (taken === Atomics.load(this.#control, words.asked)) {
        Atomics.wait(this.#control, words.asked, taken)
        continue
      }
      const desk = this.#control[this.#placeOf(taken)]!
      // Whoever moves the counter has the call.
      if (Atomics.compareExchange(this.#control, words.taken, taken, taken + 1) !== taken) continue
      return { desk, ...this.#take(desk) }
    }
  }

  /** By a thread. */
  answer(desk: number, { kind, payload }: Answer): void {
    this.#write(desk, kind, payload)
    Atomics.store(this.#control, this.#wordOf(desk) + deskWords.answered, 1)
    Atomics.add(this.#control, words.answers, 1)
    Atomics.notify(this.#control, words.answers)
  }

  /** Throws RangeError for a payload that has no room: what is behind it belongs to another call. */
  #write(desk: number, kind: number, payload: Buffer): void {
    if (payload.length > deskSize) throw new RangeError(`A desk has no room for ${payload.length} bytes.`)
    payload.copy(this.#payloads, desk * deskSize)
    const word = this.#wordOf(desk)
    this.#control[word + deskWords.kind] = kind
    this.#control[word + deskWords.length] = payload.length
  }

  /** Wipes what was there. */
  #take(desk: number): Answer {
    const word = this.#wordOf(desk)
    const start = desk * deskSize
    const end = start + this.#control[word + deskWords.length]!
    const payload = Buffer.from(this.#payloads.subarray(start, end))
    this.#payloads.fill(0, start, end)
    return { kind: this.#control[word + deskWords.kind]!, payload }
  }

  #placeOf(counter: number): number {
    return wordCount + (counter & (this.#places - 1))
  }

  #wordOf(desk: number): number {
    return wordCount + this.#places + desk * deskWordCount
  }
}

function placesFor(count: number): number {
  return 2 ** Math.ceil(Math.log2(count))
}
