import { appendFileSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FileSink } from '../../../src/audit/sinks/file.ts'
import type { FileSinkConfig } from '../../../src/config/audit-sinks.ts'
import { aCheckpoint, aRecordItem, configured, item } from './journals.ts'

function aFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'file-sink-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return join(folder, 'copy.jsonl')
}

const sinkTo = (file: string) => new FileSink(configured({ type: 'file', file }) as FileSinkConfig)
const textsOf = (items: readonly { readonly text: string }[]) => items.map(({ text }) => `${text}\n`).join('')

describe('a file', () => {
  it('is created for its owner only, and gets a line for each item', async () => {
    const file = aFile()
    const items = [aRecordItem(1), item(aCheckpoint()), aRecordItem(2)]
    await sinkTo(file).deliver(items.slice(0, 1))
    await sinkTo(file).deliver(items.slice(1))
    expect(readFileSync(file, 'utf8')).toBe(textsOf(items))
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  it('may be moved away at any time: the next lines are in a new one', async () => {
    const file = aFile()
    const sink = sinkTo(file)
    await sink.deliver([aRecordItem(1)])
    renameSync(file, `${file}.1`)
    await sink.deliver([aRecordItem(2)])
    expect([`${file}.1`, file].map(path => readFileSync(path, 'utf8'))).toEqual([
      textsOf([aRecordItem(1)]),
      textsOf([aRecordItem(2)]),
    ])
  })

  it('that ends with a part of a line, after a crash, goes on in the next line', async () => {
    const file = aFile()
    appendFileSync(file, '{"eventID":"1')
    await sinkTo(file).deliver([aRecordItem(1)])
    expect(readFileSync(file, 'utf8')).toBe(`{"eventID":"1\n${textsOf([aRecordItem(1)])}`)
  })

  it('on a full disk fails with the reason', async () => {
    await expect(sinkTo('/dev/full').deliver([aRecordItem(1)])).rejects.toThrow(/ENOSPC/)
  })

  it('in a folder that is not there fails with the reason, until it is there', async () => {
    const file = join(aFile(), 'copy.jsonl')
    await expect(sinkTo(file).deliver([aRecordItem(1)])).rejects.toThrow(/ENOENT/)
    expect(existsSync(file)).toBe(false)
  })
})
