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
/** Frames per write: the other process works on them while this one produces more. */
const framesPerWrite = 16

/** Writes frames, batching those that are produced together. */
export class FrameWriter {
  readonly #send: (batch: Buffer, sent: () => void) => void
  readonly #defer: (flush: () => void) => void
  #batch: Buffer = none
  /** Wiped memory of a batch that was sent, for reuse. */
  #spare: Buffer = none
  #length = 0
  #frames = 0
  #isDeferred = false

  /**
   * @param send writes a batch and calls `sent` when its memory is no longer needed: it is wiped then
   * @param defer calls back when no more frames are expected: setImmediate if each is produced by its own event, process.nextTick if they
   * are produced by promises of the same event
   */
  constructor(send: (batch: Buffer, sent: () => void) => void, defer: (flush: () => void) => void) {
    this.#send = send
    this.#defer = defer
  }

  /** Copies the payload. Throws RangeError if it is too long. */
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

/** Finds the frames in a stream, however it is split into chunks. */
export class FrameReader {
  readonly #onFrame: (id: number, kind: number, payload: Buffer) => void
  /** Beginning of an incomplete frame. */
  #parts: Buffer[] = []
  #held = 0
  #wanted = 0

  /** @param onFrame the payload is wiped afterwards and must be copied to be kept */
  constructor(onFrame: (id: number, kind: number, payload: Buffer) => void) {
    this.#onFrame = onFrame
  }

  /** Wipes the chunk. Throws RangeError for an invalid length. */
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

  /** The buffered bytes and the chunk; undefined while they do not complete a frame. */
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

/** The end of the frame at the offset or, before its length is known, of its length field. */
function frameEnd(bytes: Buffer, offset: number): number {
  if (bytes.length - offset < lengthBytes) return offset + lengthBytes
  const length = bytes.readUInt32BE(offset)
  if (length < headerBytes - lengthBytes || length > maximumFrameLength) {
    throw new RangeError(`A frame of ${length} bytes cannot be.`)
  }
  return offset + lengthBytes + length
}
