/** A rolling upgrade, under load: gateways of the former and of the next version serve side by side. */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, describe, expect, it } from 'vitest'
import { schema } from '../../src/storage/migrations/migrate.ts'
import { allAccounted, noteCommits, unaccounted, verified } from '../fleet/accounting.ts'
import { Fleet, type Member } from '../fleet/fleet.ts'
import { checkedLoad } from '../fleet/load.ts'
import { revocations, tries } from '../fleet/revocations.ts'
import { ownPostgresql } from '../postgresql.ts'
import { SeededRandom } from './seeded-random.ts'

const root = join(import.meta.dirname, '../..')
const seed = Number(process.env.STRONGROOM_SOAK_SEED ?? Date.now() % 2 ** 31)

function git(...args: string[]): string {
  return execFileSync('git', ['-C', root, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
}

/** The one that is named, else the one before the last migration, if that can serve on PostgreSQL, else the one before this. */
function previousCommit(): string | undefined {
  try {
    const named = process.env.STRONGROOM_PREVIOUS_COMMIT
    if (named) return git('rev-parse', named)
    const migration = git('log', '-1', '--format=%H', '--diff-filter=A', '--', 'src/storage/migrations/0*.ts')
    const canServe = git('ls-tree', `${migration}^`, 'src/storage/engines/postgresql') !== ''
    return git('rev-parse', canServe ? `${migration}^` : 'HEAD^')
  } catch {
    return undefined
  }
}

const commit = previousCommit()
const folder = mkdtempSync(join(tmpdir(), 'strongroom-versions-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** @returns its folder */
function previousVersion(): string {
  const version = join(folder, 'previous')
  if (existsSync(version)) return version
  mkdirSync(version)
  const archive = execFileSync('git', ['-C', root, 'archive', commit!, 'src', 'native-config', 'package.json'], {
    maxBuffer: 2 ** 28,
  })
  execFileSync('tar', ['-x', '-C', version], { input: archive })
  symlinkSync(join(root, 'node_modules'), join(version, 'node_modules'))
  return version
}

/** This version and one migration more, which changes tables that every commit and every start uses. @returns its folder */
function nextVersion(): string {
  const version = join(folder, 'next')
  for (const part of ['src', 'native-config', 'package.json'])
    cpSync(join(root, part), join(version, part), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(version, 'node_modules'))
  const migrations = join(version, 'src/storage/migrations')
  writeFileSync(
    join(migrations, 'next.ts'),
    `import type { Migration } from './migration.ts'
export const next: Migration = async (db, { text }) => {
  await db.schema.createTable('of_next').addColumn('id', text, column => column.primaryKey()).execute()
  for (const table of ['outbox', 'keys', 'grants', 'aliases', 'changes', 'gateways', 'change_number', 'access_keys'])
    await db.schema.alterTable(table).addColumn('of_next', text, column => column.defaultTo('x')).execute()
}
`,
  )
  const file = join(migrations, 'migrate.ts')
  const text = readFileSync(file, 'utf8')
  const changed = text
    .replace(/(?<=\nconst migrations: readonly Migration\[\] = \[[^\]]*)\n\]/, '\n  next,\n]')
    .replace(/(?<=\nconst expansions: ReadonlySet<number> = new Set\()(?:\[([^\]]*)\])?/, `[$1,${schema + 1}]`)
  if (changed.match(/\n {2}next,\n\]/) === null || !changed.includes(`,${schema + 1}]`))
    throw new Error('migrate.ts is written differently')
  writeFileSync(file, `import { next } from './next.ts'\n${changed}`)
  return version
}

/** Replaces one gateway after another, as behind a load balancer, under load, and revokes at each step. */
async function upgrade(fleet: Fleet, version: string | undefined): Promise<void> {
  const random = new SeededRandom(seed)
  const over = Promise.withResolvers<void>()
  let serving: readonly Member[] = fleet.members
  const load = { lanes: 1, clients: 4, requestsPerClient: 20, members: () => serving }
  const checked = checkedLoad(fleet, random, over.promise, load)
  const subjects = await Promise.all(Object.values(revocations).map(revocation => revocation(fleet)))
  const revokeAll = async () => {
    const wrong = await Promise.all(subjects.map(subject => tries(subject, fleet.members, fleet.members.length)))
    return wrong.flat()
  }
  expect(await revokeAll()).toEqual([])
  for (const member of fleet.members) {
    serving = fleet.members.filter(other => other !== member)
    // Its requests in flight are answered, and connections that it closes are not used again.
    await delay(100)
    await member.stop()
    member.version = version
    await member.start()
    serving = fleet.members
    expect(await revokeAll()).toEqual([])
  }
  over.resolve()
  const { partitions, requests, ...faults } = await checked
  console.log({ partitions, requests, seed })
  expect(faults).toEqual({ lost: [], violations: [] })
  expect(partitions).toBeGreaterThan(fleet.members.length)
  const complaints = fleet.members.flatMap(member => member.complaints())
  // By Node.js, with a hint of its own.
  expect(complaints.filter(line => !/was written by a newer version|--trace-warnings/.test(line))).toEqual([])
}

/** Stops the fleet, too. */
async function expectWhole(fleet: Fleet): Promise<void> {
  await fleet.stop()
  expect(await unaccounted(fleet, new Set())).toEqual(allAccounted)
  expect(await verified(fleet)).toMatchObject({ code: 0, stderr: '' })
}

// There is none in a copy of the source without its history.
describe.skipIf(commit === undefined)(`a rolling upgrade from ${commit}`, () => {
  it('loses no request and revokes everywhere, gateway by gateway', async () => {
    await using server = await ownPostgresql()
    await using fleet = await Fleet.start({ server, version: previousVersion() })
    await noteCommits(fleet)
    await upgrade(fleet, undefined)
    await expectWhole(fleet)
  })

  it('can be taken back: the previous version serves on what this one has migrated', async () => {
    await using server = await ownPostgresql()
    await using fleet = await Fleet.start({ server })
    await noteCommits(fleet)
    await upgrade(fleet, previousVersion())
    await expectWhole(fleet)
  })
})

it('a rolling upgrade with a migration that only adds can be taken back', async () => {
  await using server = await ownPostgresql()
  await using fleet = await Fleet.start({ server })
  await noteCommits(fleet)
  await upgrade(fleet, nextVersion())
  const [row] = await fleet.database.sql('select max(number) as number from strongroom_migrations')
  expect(row).toEqual({ number: schema + 1 })
  await upgrade(fleet, undefined)
  await expectWhole(fleet)
})
