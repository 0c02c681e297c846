/** Gateways and PostgreSQL are killed under load, again and again: nothing answered is lost, half done or done twice. */
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it, vi } from 'vitest'
import { objectsOn } from '../end-to-end/token-objects.ts'
import { allAccounted, noteCommits, unaccounted } from '../fleet/accounting.ts'
import { Fleet } from '../fleet/fleet.ts'
import { Ledger } from '../fleet/ledger.ts'
import { ownPostgresql } from '../postgresql.ts'
import { SeededRandom } from './seeded-random.ts'

const kills = Number(process.env.STRONGROOM_SOAK_KILLS ?? 50)
const seed = Number(process.env.STRONGROOM_SOAK_SEED ?? Date.now() % 2 ** 31)

it(`${kills} kills, seed ${seed}`, async () => {
  await using server = await ownPostgresql()
  await using fleet = await Fleet.start({ server, lease: '5s' })
  await noteCommits(fleet)
  const random = new SeededRandom(seed)
  const ledgers = Array.from({ length: 8 }, (_, index) => new Ledger(`writer-${index}`, fleet, random))
  const over = Promise.withResolvers<void>()
  const changing = Promise.all(ledgers.map(ledger => ledger.change(over.promise)))
  for (let done = 0; done < kills; done++) {
    await delay(random.between(200, 1500))
    const killed = fleet.members.filter(() => random.fraction() < 0.4)
    const withDatabase = killed.length === 0 || random.fraction() < 0.3
    await Promise.all([...killed.map(member => member.kill()), withDatabase && server.kill()])
    if (withDatabase) await server.start()
    await Promise.all(killed.map(member => member.start()))
  }
  over.resolve()
  await changing
  const answered = new Set(ledgers.flatMap(ledger => [...ledger.answered]))
  console.log({ answered: answered.size, lost: ledgers.reduce((sum, { lost }) => sum + lost, 0) })
  expect(ledgers.flatMap(({ wrong }) => wrong)).toEqual([])
  const orphans = await orphansOf(fleet)
  // Found twice, with ten seconds between.
  const isReported = (id: string) =>
    fleet.members.some(({ gateway }) => gateway.warnings().some(line => line.includes(id)))
  await vi.waitFor(() => expect(orphans.filter(id => !isReported(id))).toEqual([]), { timeout: 60_000, interval: 500 })
  console.log({ orphans: orphans.length })
  for (const ledger of ledgers) expect(await ledger.faults(fleet.database)).toEqual([])
  await fleet.stop()
  expect(await unaccounted(fleet, answered)).toEqual(allAccounted)
})

/** CKA_IDs of objects without a key record. */
async function orphansOf({ folder, database }: Fleet): Promise<string[]> {
  const rows = await database.sql('select id from key_materials')
  const known = new Set(rows.map(({ id }) => id as string))
  const objects = await objectsOn({ folder })
  const ids = objects.filter(({ label }) => !label.startsWith('strongroom ')).map(({ id }) => id)
  return [...new Set(ids)].filter(id => !known.has(id))
}
