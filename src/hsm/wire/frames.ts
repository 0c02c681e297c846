/**
 * The messages between the gateway and its workers, alike in both directions. Numbers are big-endian:
 *
 *     length of what follows (u32) | id (u32) | kind (u8) | payload
 *
 * `kind` is the operation in a request and the status in a response.
 */

const lengthBytes = 4
const headerBytes = 9
/** Bytes after the length field; room for a listing of about 100,000 objects. */
export const maximumFrameLength = 2 ** 24

const usualCapacity = 2 ** 14
const none = Buffer.alloc(0)
/** So many frames are enough for a write of their own: the other process works on them while this one makes more. */
const framesPerWrite = 16

/** Writes frames: those that are made together leave in one write. */
export class FrameWriter {
  readonly #send: (batch: Buffer, sent: () => void) => void
  readonly #defer: (flush: () => void) => void
  #batch: Buffer = none
  /** Memory of a batch that was sent, wiped. */
  #spare: Buffer = none
  #length = 0
  #frames = 0
  #isDeferred = false

  /**
   * @param send writes a batch and calls `sent` when its memory is no longer needed: it is wiped then
   * @param defer calls back when no more frames are to be expected: setImmediate where each comes of an event of its own, process.nextTick
   *   where those that belong together are made by promises of the same event
   */
  constructor(send: (batch: Buffer, sent: () => void) => void, defer: (flush: () => void) => void) {
    this.#send = send
    this.#defer = defer
  }

  /** Copies the payload. Throws RangeError for one that no frame can hold. */
  write(id: number, kind: number, payload: Uint8Array): void {
    const length = headerBytes - lengthBytes + payload.length
    if (length > maximumFrameLength) throw new RangeError(`A frame of ${length} bytes cannot be.`)
    if (!this.#isDeferred) {
      this.#isDeferred = true
      this.#defer(this.#flushDeferred)
    }
    this.#reserve(lengthBytes + length)
    let offset = this.#batch.writeUInt32BE(length, this.#length)
    offset = this.#batch.writeUInt32BE(id, offset)
    offset = this.#batch.writeUInt8(kind, offset)
    this.#batch.set(payload, offset)
    this.#length = offset + payload.length
    if (++this.#frames === framesPerWrite) this.flush()
  }

  flush(): void {
    if (this.#length === 0) return
    const batch = this.#batch
    const length = this.#length
    this.#batch = this.#spare
    this.#spare = none
    this.#length = 0
    this.#frames = 0
    this.#send(batch.subarray(0, length), () => {
      batch.fill(0, 0, length)
      if (batch.length === usualCapacity) this.#spare = batch
    })
  }

  readonly #flushDeferred = (): void => {
    this.#isDeferred = false
    this.flush()
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes
    if (needed <= this.#batch.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#batch.length, usualCapacity))
    this.#batch.copy(larger, 0, 0, this.#length)
    this.#batch.fill(0, 0, this.#length)
    this.#batch = larger
  }
}

/** Finds the frames in a stream of bytes, however it was cut into chunks. */
export class FrameReader {
  readonly #onFrame: (id: number, kind: number, payload: Buffer) => void
  /** Beginning of a frame whose end has not come yet. */
  #parts: Buffer[] = []
  #held = 0
  #wanted = 0

  /** @param onFrame its payload is wiped afterwards: what is to be kept must be copied */
  constructor(onFrame: (id: number, kind: number, payload: Buffer) => void) {
    this.#onFrame = onFrame
  }

  /** Wipes the chunk. Throws RangeError for a length that no frame can have. */
  read(chunk: Buffer): void {
    const bytes = this.#join(chunk)
    if (bytes === undefined) return
    let offset = 0
    let end = frameEnd(bytes, offset)
    while (end <= bytes.length) {
      const payload = bytes.subarray(offset + headerBytes, end)
      this.#onFrame(bytes.readUInt32BE(offset + lengthBytes), bytes[offset + headerBytes - 1]!, payload)
      offset = end
      end = frameEnd(bytes, offset)
    }
    if (offset < bytes.length) this.#hold(bytes.subarray(offset), end - offset)
    chunk.fill(0)
    if (bytes !== chunk) bytes.fill(0)
  }

  /** The bytes held back followed by the chunk; nothing while they do not complete a frame. */
  #join(chunk: Buffer): Buffer | undefined {
    if (this.#held === 0) return chunk
    if (this.#held + chunk.length < this.#wanted) {
      this.#hold(chunk, this.#wanted)
      return undefined
    }
    const bytes = Buffer.concat([...this.#parts, chunk])
    for (const part of this.#parts) part.fill(0)
    this.#parts = []
    this.#held = 0
    return bytes
  }

  #hold(bytes: Buffer, wanted: number): void {
    this.#parts.push(Buffer.from(bytes))
    this.#held += bytes.length
    this.#wanted = wanted
  }
}

/** Where the frame at the offset ends, or, before its length is known, where its length ends. */
function frameEnd(bytes: Buffer, offset: number): number {
  if (bytes.length - offset < lengthBytes) return offset + lengthBytes
  const length = bytes.readUInt32BE(offset)
  if (length < headerBytes - lengthBytes || length > maximumFrameLength) {
    throw new RangeError(`A frame of ${length} bytes cannot be.`)
  }
  return offset + lengthBytes + length
}
