import { cpSync, mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { withAdministration } from '../../src/cli/administration.ts'
import { home, type Installation, install, recordsOf, serve } from './gateway.ts'

describe('the administration API', () => {
  let installation: Installation
  beforeAll(async () => {
    installation = await install()
  })
  afterAll(() => installation.remove())

  const accounts = (data = installation.folder) =>
    withAdministration({ data }, administer => administer<{ accounts: readonly object[] }>('ListAccounts', {}))
  const expected = { accounts: [expect.objectContaining({ id: home })] }

  it('answers in this process while no gateway runs, and through a socket of the owner while one does', async () => {
    expect(await accounts()).toEqual(expected)
    const gateway = await serve(installation)
    expect(await accounts()).toEqual(expected)
    expect(statSync(join(installation.folder, 'strongroom.sock')).mode & 0o777).toBe(0o600)
    await gateway.kill()
    expect(await accounts()).toEqual(expected)
    const records = recordsOf(installation).filter(({ eventName }) => eventName === 'ListAccounts')
    const operator = { type: 'Operator', uid: process.getuid!() }
    expect(records).toMatchObject(Array(3).fill({ eventSource: 'administration.strongroom', userIdentity: operator }))
  })

  it('replaces the socket of a killed gateway, also in a folder whose path is too long for a socket address', async () => {
    const deep = join(installation.folder, 'd'.repeat(120))
    mkdirSync(deep, { mode: 0o700 })
    for (const name of ['strongroom.yaml', 'strongroom.db', 'audit.jsonl', 'softhsm2.conf', 'pin', 'tokens']) {
      cpSync(join(installation.folder, name), join(deep, name), { recursive: true, preserveTimestamps: true })
    }
    const moved = { ...installation, folder: deep }
    await (await serve(moved)).kill()
    const gateway = await serve(moved)
    expect(await accounts(deep)).toEqual(expected)
    expect(gateway.warnings()).toEqual([])
    await gateway.stop()
  })

  it.each([
    ['an unknown operation', 'DoNothing', {}, 'no operation POST /DoNothing'],
    ['an unknown member', 'ListAccounts', { all: true }, 'unknown key all'],
  ])('refuses %s', async (_, operation, input, message) => {
    const data = installation.folder
    await expect(withAdministration({ data }, administer => administer(operation, input))).rejects.toThrow(message)
  })
})
