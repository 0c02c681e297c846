/** `identity apply` that is killed, or the gateway that does it: all of the file is applied or none of it, and the record says which. */
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { withAdministration } from '../../src/cli/administration.ts'
import { allAccounted, noteCommits, unaccounted } from '../end-to-end/audit-consistency.ts'
import { home, type Installation, install, recordsOf, serve, startCommand } from '../end-to-end/gateway.ts'

let installation: Installation
beforeAll(async () => {
  installation = await install()
  noteCommits(installation)
})
afterAll(() => installation.remove())

const inFolder = (name: string) => join(installation.folder, name)
const sizeOf = (name: string) => statSync(inFolder(name), { throwIfNoEntry: false })?.size ?? 0

/** Every generation changes each user, and has a policy of its own in the place of the one before. */
function fileOf(generation: number): string {
  const Statement = { Effect: 'Allow', Action: 'kms:ListKeys', Resource: '*' }
  const policy = `policy-${generation}`
  const user = { tags: { generation: `${generation}` }, policies: [policy] }
  const users = Object.fromEntries(Array.from({ length: 150 }, (_, number) => [`user-${number}`, user]))
  const policies = { [policy]: { document: { Version: '2012-10-17', Statement } } }
  writeFileSync(
    inFolder('identities.yaml'),
    stringify({ accounts: { [home]: { policies, users } } }, { aliasDuplicateObjects: false }),
  )
  return inFolder('identities.yaml')
}

interface Exported {
  readonly users?: Readonly<Record<string, { readonly tags?: { readonly generation?: string } }>>
  readonly policies?: Readonly<Record<string, object>>
}

/** The one generation that there is. */
async function generationThere(): Promise<number> {
  const data = installation.folder
  const { file } = await withAdministration({ data }, call =>
    call<{ readonly file: { readonly accounts: Record<string, Exported> } }>('ExportIdentities', {}),
  )
  const { users = {}, policies = {} } = file.accounts[home]!
  const tags = Object.values(users).flatMap(({ tags }) => tags?.generation ?? [])
  const [generation = '0'] = tags
  expect(tags).toEqual(Array(generation === '0' ? 0 : 150).fill(generation))
  expect(Object.keys(policies).filter(name => name.startsWith('policy-'))).toEqual(
    generation === '0' ? [] : [`policy-${generation}`],
  )
  return Number(generation)
}

/** How much more of something there must be than at the beginning. */
const grown = (measure: () => number, by: number) => () => {
  const before = measure()
  return () => measure() >= before + by
}
const recordCount = () => readFileSync(inFolder('audit.jsonl'), 'utf8').split('\n').length

/** Each with what is awaited before the kill. The record of the dry run comes first. */
const moments: [string, () => () => boolean][] = [
  ['once it has planned', grown(recordCount, 1)],
  ['while it commits', grown(() => sizeOf('strongroom.db-wal'), 20_000)],
  ['once it is recorded', grown(recordCount, 2)],
]
let generation = 0
let there = 0

/** Applies the next generation, kills a process at a moment of that, and looks at what is there. */
async function killAt(begin: () => () => boolean, kill?: () => Promise<void>): Promise<void> {
  const [former, next] = [there, ++generation]
  const isTime = begin()
  const { child, ended } = startCommand(['identity', 'apply', fileOf(next), '--yes', '--data', installation.folder])
  while (child.exitCode === null && !isTime()) await delay(1)
  if (kill) await kill()
  else child.kill('SIGKILL')
  const { code, stderr } = await ended
  // It was killed, done before that, or lost the gateway.
  expect(stderr).toMatch(code === 1 ? /the gateway stopped before it answered/ : /^$/)
  there = await generationThere()
  expect(code === 0 ? [next] : [former, next]).toContain(there)
}

it.each(moments)('is done or not done when the gateway is killed %s', async (_, begin) => {
  const gateway = await serve(installation)
  await killAt(begin, gateway.kill)
})

it.each(moments)('is done or not done when it is killed %s in its own process', async (_, begin) => {
  await killAt(begin)
})

it('is on record exactly if it was done, with each of its steps', () => {
  const done = recordsOf(installation).filter(
    ({ eventName, readOnly, errorCode }) => eventName === 'ApplyIdentities' && !readOnly && errorCode === undefined,
  )
  const counts = done.map(({ responseElements }) => (responseElements as { readonly steps: object[] }).steps.length)
  // The users, a policy that comes, and one that goes: at first, instead of that, the account.
  expect(new Set(counts)).toEqual(new Set([152]))
  expect(unaccounted(installation)).toEqual(allAccounted)
})
