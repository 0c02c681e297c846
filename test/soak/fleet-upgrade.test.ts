/** A rolling upgrade: gateways of the previous version and of this one serve side by side. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { Fleet } from '../fleet/fleet.ts'
import { revocations, tries } from '../fleet/revocations.ts'
import { ownPostgresql } from '../postgresql.ts'

const root = join(import.meta.dirname, '../..')

function git(...args: string[]): string {
  return execFileSync('git', ['-C', root, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
}

/** The one that is named, else the last one whose schema is older, if that can serve on PostgreSQL, else the one before this. */
function previousCommit(): string | undefined {
  try {
    const named = process.env.STRONGROOM_PREVIOUS_COMMIT
    if (named) return git('rev-parse', named)
    const older = git('rev-parse', `${git('log', '-1', '--format=%H', '--', 'src/storage/migrations')}^`)
    const canServe = git('ls-tree', older, 'src/storage/engines/postgresql') !== ''
    return canServe ? older : git('rev-parse', 'HEAD^')
  } catch {
    return undefined
  }
}

const commit = previousCommit()
const folder = mkdtempSync(join(tmpdir(), 'strongroom-previous-'))
afterAll(() => rmSync(folder, { recursive: true }))

function extract(commit: string): string {
  const version = join(folder, commit)
  if (existsSync(version)) return version
  mkdirSync(version)
  const archive = execFileSync('git', ['-C', root, 'archive', commit, 'src', 'native-config', 'package.json'], {
    maxBuffer: 2 ** 28,
  })
  execFileSync('tar', ['-x', '-C', version], { input: archive })
  symlinkSync(join(root, 'node_modules'), join(version, 'node_modules'))
  return version
}

// There is none in a copy of the source without its history.
describe.skipIf(commit === undefined)(`a rolling upgrade from ${commit}`, () => {
  it('refuses nothing and revokes everywhere, gateway by gateway', async () => {
    await using server = await ownPostgresql()
    await using fleet = await Fleet.start({ server, version: extract(commit!) })
    const subjects = await Promise.all(Object.values(revocations).map(revocation => revocation(fleet)))
    const wrong: string[] = []
    const tryAll = async () => {
      for (const subject of subjects) wrong.push(...(await tries(subject, fleet.members, fleet.members.length)))
    }
    await tryAll()
    for (const member of fleet.members) {
      await member.stop()
      member.version = undefined
      await member.start()
      await tryAll()
    }
    expect(wrong).toEqual([])
    expect(fleet.members.flatMap(member => member.complaints())).toEqual([])
    await fleet.stop()
  })

  it('can be taken back: the previous version serves on what this one has migrated', async () => {
    await using server = await ownPostgresql()
    await using fleet = await Fleet.start({ server, gateways: 2 })
    const [, second] = fleet.members
    await second!.stop()
    second!.version = extract(commit!)
    await second!.start()
    for (const revocation of Object.values(revocations))
      expect(await tries(await revocation(fleet), fleet.members, 2)).toEqual([])
    await fleet.stop()
  })
})
