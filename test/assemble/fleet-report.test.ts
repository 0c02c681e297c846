import { expect, it } from 'vitest'
import { FleetReport } from '../../src/assemble/fleet.ts'
import { createAudit } from '../../src/audit/audit.ts'
import type { Line } from '../../src/audit/format.ts'
import type { LogFields } from '../../src/log.ts'
import { Notes } from '../../src/outbox/notes.ts'
import type { ChangePosition } from '../../src/storage/tables/changes.ts'
import { noBlock } from '../audit/records.ts'

const at = (number: number): ChangePosition => ({ number, eventId: `event-${number}` })

function reported(from: number, to: number, lost: readonly number[]) {
  const lines: Line[] = []
  const logged: LogFields[] = []
  const note = (fields: LogFields) => void logged.push(fields)
  const journal = { head: noBlock, append: async (...some: readonly Line[]) => void lines.push(...some) }
  const audit = createAudit(journal as never, () => 0, 'kms.amazonaws.com')
  const report = new FleetReport({ log: { error: note, warn: note, info: note } })
  report.notes = new Notes(journal, (name, details) => audit.gatewayEvent(name, details))
  report.reloaded(at(from), at(to), lost.map(at))
  return { lines, logged }
}

it('puts on record that the database has lost changes, with the numbers that it gives again', () => {
  for (const [from, to, lost, range] of [
    [9, 7, [], { from: 9, to: 7 }],
    [9, 7, [8, 9], { from: 9, to: 7 }],
    // Others have committed since.
    [9, 12, [6, 9], { from: 9, to: 5 }],
  ] as const) {
    const { lines } = reported(from, to, lost)
    expect(lines).toMatchObject([
      { rewind: range },
      {
        eventName: 'StorageLostChanges',
        serviceEventDetails: { ...range, eventIDs: lost.map(number => `event-${number}`) },
      },
    ])
  }
})

it('is no loss if only the log of changes was pruned', () => {
  const { lines, logged } = reported(9, 1000, [])
  expect(lines).toEqual([])
  expect(logged).toMatchObject([{ event: 'view_reloaded', from: 9, to: 1000 }])
})
