import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FrameReader, FrameWriter, maximumFrameLength } from '../../../src/hsm/wire/frames.ts'

interface Frame {
  readonly id: number
  readonly kind: number
  readonly payload: string
}

const frames = fc.array(
  fc.record({
    id: fc.nat(2 ** 32 - 1),
    kind: fc.nat(255),
    payload: fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes).toString('hex')),
  }),
)

function written(list: readonly Frame[]): Buffer {
  const batches: Buffer[] = []
  const writer = new FrameWriter(batch => batches.push(Buffer.from(batch)), setImmediate)
  for (const { id, kind, payload } of list) writer.write(id, kind, Buffer.from(payload, 'hex'))
  writer.flush()
  return Buffer.concat(batches)
}

function read(chunks: readonly Buffer[]): Frame[] {
  const found: Frame[] = []
  const reader = new FrameReader((id, kind, payload) => found.push({ id, kind, payload: payload.toString('hex') }))
  for (const chunk of chunks) reader.read(Buffer.from(chunk))
  return found
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...new Set(places.map(place => place % (bytes.length + 1)))].sort((a, b) => a - b)
  return [0, ...ends].map((start, index) => bytes.subarray(start, ends[index] ?? bytes.length))
}

describe('frames', () => {
  it('have the layout that is documented', () => {
    expect(written([{ id: 1, kind: 2, payload: 'abcd' }]).toString('hex')).toBe(`${'00000007'}${'00000001'}${'02'}abcd`)
  })

  it('are read as they were written, wherever the stream is split', () => {
    fc.assert(
      fc.property(frames, fc.array(fc.nat()), (list, places) => {
        expect(read(cut(written(list), places))).toEqual(list)
      }),
    )
  })

  it('are read byte by byte', () => {
    const list = [
      { id: 0, kind: 0, payload: '' },
      { id: 7, kind: 1, payload: '00'.repeat(40) },
    ]
    expect(read([...written(list)].map(byte => Buffer.of(byte)))).toEqual(list)
  })

  it.each([
    ['the turn of the event loop', setImmediate],
    ['the event', process.nextTick],
  ])('leave sixteen at a time, and at the latest at the end of %s', async (_, defer) => {
    const batches: number[] = []
    const writer = new FrameWriter(batch => batches.push(batch.length), defer)
    for (let id = 0; id < 1003; id++) writer.write(id, 0, Buffer.alloc(100))
    await new Promise(setImmediate)
    expect(batches).toEqual([...Array(62).fill(16 * 109), 11 * 109])
  })

  it('leave in one write, before the next event, when promises of one event make them', async () => {
    const events: string[] = []
    const writer = new FrameWriter(batch => events.push(`${batch.length} bytes`), process.nextTick)
    const write = async (steps: number) => {
      for (let step = 0; step < steps; step++) await undefined
      writer.write(1, 0, Buffer.alloc(100))
    }
    await new Promise<void>(resolve => {
      setImmediate(() => void [1, 3, 7].map(write))
      setImmediate(() => {
        events.push('next event')
        resolve()
      })
    })
    expect(events).toEqual([`${3 * 109} bytes`, 'next event'])
  })

  it('are wiped from memory once sent and once read', () => {
    const payload = Buffer.from('a secret plaintext')
    let memory: Buffer = Buffer.alloc(0)
    const writer = new FrameWriter((batch, sent) => {
      memory = batch
      sent()
    }, setImmediate)
    writer.write(1, 1, payload)
    const chunk = written([{ id: 1, kind: 1, payload: payload.toString('hex') }])
    writer.flush()
    expect(memory).toEqual(Buffer.alloc(memory.length))
    new FrameReader(() => {}).read(chunk)
    expect(chunk).toEqual(Buffer.alloc(chunk.length))
  })

  it('of an invalid length are refused before anything is buffered', () => {
    for (const length of [0, 4, maximumFrameLength + 1, 2 ** 32 - 1]) {
      const bytes = Buffer.alloc(4)
      bytes.writeUInt32BE(length)
      expect(() => read([bytes])).toThrow(RangeError)
    }
    expect(() => written([{ id: 1, kind: 1, payload: '00'.repeat(maximumFrameLength) }])).toThrow(RangeError)
  })
})
