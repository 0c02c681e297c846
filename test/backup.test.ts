/** The file format of backups: what is read is what was written, or nothing. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { contentLines, openBackup, writeBackup } from '../src/backup/backup-file.ts'
import { seal, unseal } from '../src/backup/chunks.ts'
import { encodeHeader } from '../src/backup/header.ts'
import type { NeededObject } from '../src/backup/needed-objects.ts'

const key = randomBytes(32)
const header = Buffer.from('header\n')
const chunk = 65_536
const sealedChunk = chunk + 16

async function* parts(bytes: Uint8Array, size = 50_000) {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size)
}

async function whole(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = []
  for await (const part of bytes) all.push(part)
  return Buffer.concat(all)
}

const sealed = (content: Uint8Array) => whole(seal(key, header, parts(content)))
const opened = (bytes: Uint8Array, by = key, under = header) => whole(unseal(by, under, parts(bytes)))

describe('sealed chunks', () => {
  it.each([0, 1, chunk - 1, chunk, chunk + 1, 2 * chunk, 3 * chunk + 5])('give back %i bytes', async length => {
    const content = randomBytes(length)
    const bytes = await sealed(content)
    expect(bytes.length).toBe(length + 16 * Math.max(1, Math.ceil(length / chunk)))
    expect((await opened(bytes)).equals(content)).toBe(true)
  })

  it('are refused after any change', async () => {
    const bytes = await sealed(randomBytes(2 * chunk + 100))
    const flipped = fc.integer({ min: 0, max: 8 * bytes.length - 1 }).map(bit => {
      const changed = Buffer.from(bytes)
      changed[bit >> 3]! ^= 1 << (bit & 7)
      return changed
    })
    const cut = fc.oneof(
      fc.integer({ min: 0, max: bytes.length - 1 }),
      fc.constantFrom(0, sealedChunk, 2 * sealedChunk),
    )
    const truncated = cut.map(length => bytes.subarray(0, length))
    const extended = fc.uint8Array({ minLength: 1, maxLength: 100 }).map(more => Buffer.concat([bytes, more]))
    const [first, second, last] = [0, 1, 2].map(number =>
      bytes.subarray(number * sealedChunk, (number + 1) * sealedChunk),
    )
    const spliced = fc
      .constantFrom(
        [second, first, last],
        [first, last],
        [second, last],
        [first, first, second, last],
        [first, second],
        [last],
      )
      .map(chunks => Buffer.concat(chunks as unknown as Buffer[]))
    await fc.assert(
      fc.asyncProperty(fc.oneof(flipped, truncated, extended, spliced), async changed => {
        await expect(opened(changed)).rejects.toThrow(/not authentic|truncated/)
      }),
      { numRuns: 150 },
    )
  })

  it('are refused under another key, another header, or beside chunks of another backup', async () => {
    const content = randomBytes(2 * chunk)
    const [bytes, other] = [await sealed(content), await whole(seal(randomBytes(32), header, parts(content)))]
    await expect(opened(bytes, randomBytes(32))).rejects.toThrow('not authentic')
    await expect(opened(bytes, key, Buffer.from('header \n'))).rejects.toThrow('not authentic')
    const mixed = Buffer.concat([bytes.subarray(0, sealedChunk), other.subarray(sealedChunk)])
    await expect(opened(mixed)).rejects.toThrow('chunk 1 is not authentic')
  })

  it('tell a truncated backup', async () => {
    const bytes = await sealed(randomBytes(3 * chunk))
    await expect(opened(bytes.subarray(0, 2 * sealedChunk))).rejects.toThrow('truncated')
  })
})

describe('a backup file', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'strongroom-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  const facts = {
    id: '6fb1b1b5-4b0f-4a8f-9f5e-0d7f4f0b6a01',
    version: '1.0.0',
    time: '2026-11-28T12:00:00.000Z',
    gateway: 'g1',
    engine: 'sqlite' as const,
    schema: 29,
    changeNumber: 7,
    hsms: { main: { label: 'strongroom', serial: '0123' } },
    dataKeys: [{ hsm: 'main', object: 'ab'.repeat(32), blob: 'AAAA' }],
  }
  const object = { id: 'cd'.repeat(32), hsm: 'main', owner: 'key 🔑' } as NeededObject

  async function* one<T>(...values: T[]) {
    yield values
  }

  async function written(name: string): Promise<string> {
    const file = join(folder, name)
    const lines = Array.from({ length: 5000 }, (_, number) => `line ${number} ключ`)
    await writeBackup(file, encodeHeader(facts), key, contentLines(one(object), one('ef'), parts2(lines)))
    return file
  }
  async function* parts2(lines: readonly string[]) {
    yield lines.slice(0, 4000)
    yield lines.slice(4000)
  }

  it('has a readable header, and is private', async () => {
    const file = await written('one')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(openBackup(file).header).toEqual({ strongroomBackup: 1, ...facts })
    expect(readFileSync(file, 'latin1')).not.toContain('line 1')
    const content = openBackup(file).content(key)
    expect(await content.objects()).toEqual({ needed: [object], known: new Set(['ef']) })
    const lines: string[] = []
    for await (const some of content.dump()) lines.push(...some)
    expect(lines.length).toBe(5000)
    expect(lines.at(-1)).toBe('line 4999 ключ')
  })

  it('replaces nothing, and leaves nothing when it fails', async () => {
    const file = join(folder, 'taken')
    writeFileSync(file, 'mine')
    await expect(written('taken')).rejects.toThrow('it exists')
    expect(readFileSync(file, 'utf8')).toBe('mine')
    await expect(written('missing/file')).rejects.toThrow('there is no such folder')
  })

  it('is refused with a changed header', async () => {
    const file = await written('changed')
    const bytes = readFileSync(file, 'latin1').replace('"changeNumber":7', '"changeNumber":8')
    writeFileSync(file, bytes, 'latin1')
    await expect(openBackup(file).content(key).objects()).rejects.toThrow('not authentic')
  })

  it.each([
    ['nothing', '', /is not a backup/],
    ['another file', 'SQLite format 3\0\n', /is not a backup/],
    ['other JSON', '{"a":1}\n', /is not a backup/],
    ['null', 'null\n', /is not a backup/],
    ['a newer format', '{"strongroomBackup":2}\n', /format 2, this version reads format 1/],
    ['half a header', '{"strongroomBackup":1}\n', /damaged header/],
    ['a first line without an end', `{"a":"${'x'.repeat(2_000_000)}`, /is not a backup/],
  ])('is not %s', (_, text, message) => {
    const file = join(folder, 'wrong')
    writeFileSync(file, text)
    expect(() => openBackup(file)).toThrow(message)
  })
})
