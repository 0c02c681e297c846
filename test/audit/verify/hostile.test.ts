import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { largestBlock } from '../../../src/audit/format.ts'
import { BlockScanner } from '../../../src/audit/verify/scan.ts'
import { mostFindings } from '../../../src/audit/verify/verify.ts'
import { JournalWriter, SignerKey, writeJournal } from './signed-journal.ts'
import { type Files, named, verified } from './verified.ts'

const key = new SignerKey()
const [file] = writeJournal(key, [[1, 3, 2]]).files as [Buffer]
const trailer = file.toString().split('\n')[1]!

const inputs: Readonly<Record<string, Files>> = {
  'nothing at all': {},
  'an empty file': { a: Buffer.alloc(0) },
  'a text': { a: Buffer.from('listen:\n  host: 127.0.0.1\n') },
  'a newline': { a: Buffer.from('\n') },
  'NUL bytes': { a: Buffer.alloc(3_000_000) },
  'NUL bytes at the end, as a crash leaves them': { a: Buffer.concat([file, Buffer.alloc(4096)]) },
  'records without blocks': { a: Buffer.from('{"eventVersion":"1.11"}\n'.repeat(3)) },
  'a byte order mark': { a: Buffer.concat([Buffer.from('\ufeff'), file]) },
  'other ends of lines': { a: Buffer.from(file.toString().replaceAll('\n', '\r\n')) },
  'another encoding': { a: Buffer.from(file.toString(), 'utf16le') },
  'nothing but trailers': { a: Buffer.from(`${trailer}\n`.repeat(50_000)) },
  'half a trailer, again and again': { a: Buffer.from(`\n${trailer.slice(0, 100)}`.repeat(50_000)) },
  'numbers that are too large': {
    a: Buffer.from(file.toString().replaceAll(/"number":\d+/g, '"number":9999999999999999')),
  },
  'a header that is no header': { a: Buffer.from(file.toString().replace('"version":1', '"version":2')) },
  'a header of terminal escapes': { a: Buffer.from(file.toString().replace('"journal":"', '"journal":"\u001b[2J')) },
  'a deep line': { a: Buffer.concat([file, Buffer.from(`${'{"a":'.repeat(100_000)}\n`)]) },
  'a compressed text': { a: gzipSync('a text') },
  'a compressed file that is cut': { a: gzipSync(file).subarray(0, 200) },
  'what only begins like a compressed file': { a: Buffer.from([0x1f, 0x8b, 1, 2, 3]) },
}

describe('verification says that it is not whole, and throws nothing, if it is given', () => {
  it.each(Object.entries(inputs))('%s', async (_, files) => {
    const { isWhole, found } = await verified(files, [key])
    expect(isWhole).toBe(false)
    expect(found.length).toBeGreaterThan(0)
    expect(found.every(({ message }) => message !== '' && message.length < 500)).toBe(true)
  })

  it('any bytes, in a journal or as one', async () => {
    const bytes = fc.uint8Array({ maxLength: 300 })
    await fc.assert(
      fc.asyncProperty(bytes, fc.nat(file.length), async (bytes, at) => {
        fc.pre(bytes.length > 0)
        for (const files of [{ a: bytes }, { a: Buffer.concat([file.subarray(0, at), bytes, file.subarray(at)]) }])
          expect((await verified(files, [key])).isWhole).toBe(false)
      }),
      { numRuns: 8 },
    )
  })

  it('more faults than are worth reading', async () => {
    const journal = new JournalWriter()
    for (let count = 0; count < 2 * mostFindings; count++) journal.block([{ intent: {} }])
    const blocks = journal.segments[0]!.filter((_, index) => index % 2 === 0)
    const { findings, found } = await verified(named([Buffer.concat(blocks)]), [key])
    expect(found).toHaveLength(mostFindings)
    expect(findings).toBe(mostFindings)
  })
})

describe('the scanner', () => {
  it('finds the same blocks whatever the chunks', () => {
    const whole = [...new BlockScanner().scan(file)].map(({ offset, length, trailer }) => ({ offset, length, trailer }))
    expect(whole.length).toBeGreaterThan(4)
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 }), size => {
        const scanner = new BlockScanner()
        const found: object[] = []
        for (let at = 0; at < file.length; at += size)
          for (const { offset, length, trailer, bytes } of scanner.scan(file.subarray(at, at + size))) {
            expect(bytes?.equals(file.subarray(offset, offset + length))).toBe(true)
            found.push({ offset, length, trailer })
          }
        expect(found).toEqual(whole)
        expect(scanner.incomplete).toBe(0)
      }),
    )
  })

  it('keeps no more of a line without an end than a block can have', () => {
    const scanner = new BlockScanner()
    const chunk = Buffer.alloc(8 * 1024 * 1024, 'x')
    for (let length = 0; length <= 2 * largestBlock; length += chunk.length)
      expect([...scanner.scan(chunk)]).toEqual([])
    const [block] = [...scanner.scan(Buffer.from(`\n${trailer}\n`))]
    expect(block).toMatchObject({ bytes: undefined, length: 2 * largestBlock + chunk.length + trailer.length + 2 })
    expect([...scanner.scan(file)][0]).toMatchObject({ bytes: expect.anything(), offset: block!.length })
  })
})
