import { statSync } from 'node:fs'
import { expect } from 'vitest'
import type { AuditRecord } from '../../src/audit/entry.ts'
import { isRecordLine, noHash } from '../../src/audit/format.ts'
import { blocksOf, isSound, linesOf } from '../../src/audit/read.ts'
import { segmentsOf } from '../../src/audit/segments.ts'

/** IDs of the events in all segments, whose blocks must be one chain. @param active path of the segment that is written */
export async function eventsIn(active: string): Promise<string[]> {
  const events: string[] = []
  let [number, previous, records] = [1, noHash, 0]
  for (const { file } of await segmentsOf(active)) {
    let size = 0
    for await (const block of blocksOf(file)) {
      const { trailer } = block
      const lines = linesOf(block).filter(isRecordLine)
      records += lines.length
      expect({ ...trailer, sound: isSound(block) }).toMatchObject({ number, previous, record: records, sound: true })
      events.push(...lines.map(line => (JSON.parse(line) as AuditRecord).eventID))
      size += block.bytes.length
      ;[number, previous] = [trailer.number + 1, trailer.hash]
    }
    expect(statSync(file).size).toBe(size)
  }
  return events
}
