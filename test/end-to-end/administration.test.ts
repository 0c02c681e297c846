import { cpSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { withAdministration } from '../../src/cli/administration.ts'
import { type Gateway, home, type Installation, install, recordsOf, serve, strongroom } from './gateway.ts'
import { withIdentities } from './identities.ts'

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

  it('waits for a process that has storage but no socket, as a gateway that starts', async () => {
    const command = ['identity', 'account', 'list', '--data', installation.folder]
    let listing: ReturnType<typeof strongroom>
    await withIdentities(installation, async () => {
      listing = strongroom(command)
      await Promise.race([listing, delay(2000)])
    })
    expect(await listing!).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining(home) })
  })

  it.each([
    ['an unknown operation', 'DoNothing', {}, 'no operation POST /DoNothing'],
    ['an unknown member', 'ListAccounts', { all: true }, 'unknown key all'],
  ])('refuses %s', async (_, operation, input, message) => {
    const data = installation.folder
    await expect(withAdministration({ data }, administer => administer(operation, input))).rejects.toThrow(message)
  })
})

describe('strongroom identity', () => {
  let installation: Installation
  let gateway: Gateway
  const policyFile = () => join(installation.folder, 'policy.json')
  beforeAll(async () => {
    installation = await install()
    gateway = await serve(installation)
    const Statement = [{ Effect: 'Allow', Action: ['kms:ListKeys'], Resource: '*' }]
    writeFileSync(policyFile(), JSON.stringify({ Version: '2012-10-17', Statement }))
  })
  afterAll(async () => {
    await gateway.stop()
    installation.remove()
  })

  /** Resolves to the output of a command that succeeds. */
  async function identity(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await strongroom(['identity', ...args, '--data', installation.folder])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    return stdout
  }
  async function refusal(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await strongroom(['identity', ...args, '--data', installation.folder])
    expect({ code, stdout }).toEqual({ code: expect.any(Number), stdout: '' })
    expect(code).not.toBe(0)
    return stderr
  }
  const newAccessKey = async () => JSON.parse(await identity('access-key', 'create', 'alice', '--json'))
  const listKeys = (credentials: object) => gateway.client({ credentials: credentials as never }).listKeys({})

  it('makes a user who may call as soon as the command has ended, and rotates its access keys', async () => {
    await identity('policy', 'create', 'list', '--document', policyFile())
    expect(await identity('user', 'create', 'alice', '--policy', 'list', '--tag', 'team=blue')).toBe(
      `arn:aws:iam::${home}:user/alice\n`,
    )
    const first = await newAccessKey()
    await listKeys(first)
    const second = await newAccessKey()
    expect(await refusal('access-key', 'create', 'alice')).toContain('AccessKeysPerUser: 2')
    await identity('access-key', 'update', first.accessKeyId, '--status', 'Inactive')
    await expect(listKeys(first)).rejects.toThrow('The security token included in the request is invalid.')
    await listKeys(second)
    await identity('access-key', 'delete', first.accessKeyId)
    expect(await identity('access-key', 'list', 'alice')).toMatch(
      new RegExp(
        `^${second.accessKeyId}  alice  Active  created \\S+  last used \\S+ for kms in us-east-1 from 127\\.0\\.0\\.1\n$`,
      ),
    )
    expect(JSON.stringify(gateway.records())).not.toContain(second.secretAccessKey)

    expect(await identity('user', 'update', 'alice', '--remove-policy', 'list', '--tag', 'team=red')).toBe(
      'policies: - list\ntags team: "blue" -> "red"\n',
    )
    await expect(listKeys(second)).rejects.toThrow('is not authorized to perform: kms:ListKeys')
    expect(await refusal('user', 'delete', 'alice')).toContain('has 1 access key: delete it first')
  })

  it('applies a file, and writes one that changes nothing', async () => {
    const file = join(installation.folder, 'identities.yaml')
    writeFileSync(file, await identity('export'))
    expect(await identity('apply', file)).toMatch(/^~ account 111122223333 \(of this file from now on\)\n/)
    expect(await identity('apply', file)).toBe('nothing changes\n')
    writeFileSync(
      file,
      `${await identity('export')}      bob: { polices: [] }\n`.replace('      bob', '    groups:\n      bob'),
    )
    expect(await refusal('apply', file)).toMatch(
      /^strongroom: .*identities\.yaml:\d+: unknown key polices under .*; did you mean policies\?\n$/,
    )
    writeFileSync(file, `${await identity('export')}`.replace('users:', 'groups: { bobs: {} }\n    users:'))
    expect(await identity('apply', file, '--dry-run')).toBe(
      `+ group bobs (account ${home})\n1 added, 0 changed, 0 removed; nothing was changed\n`,
    )
    expect(await identity('apply', file)).toBe(`+ group bobs (account ${home})\n1 added, 0 changed, 0 removed: done\n`)
    const applied = gateway.records().filter(({ eventName, readOnly }) => eventName === 'ApplyIdentities' && !readOnly)
    expect(applied.at(-1)!.responseElements).toMatchObject({ steps: [{ action: 'add', kind: 'group', name: 'bobs' }] })
  })

  it.each([
    [['user', 'create', 'a b'], 'the name of the user: not a name'],
    [
      ['user', 'create', 'bob', '--policy', 'missing'],
      'there is no managed policy arn:aws:iam::111122223333:policy/missing',
    ],
    [['role', 'create', 'r', '--trust-policy', 'nowhere.json'], 'cannot read nowhere.json: no such file'],
    [['role', 'create', 'r'], "required option '--trust-policy <file>' not specified"],
    [['user', 'delete', 'nobody'], `account ${home} has no user nobody`],
    [['user', 'create', 'x', '--account', '999999999999'], 'there is no account 999999999999'],
    [['account', 'delete', home], 'has a policy: delete everything in it first'],
    [['access-key', 'delete', 'AKIANOTHING'], 'not an access key ID'],
    [['apply', 'nowhere.yaml'], 'cannot read nowhere.yaml'],
  ])('says in one line why it refuses %j', async (args, message) => {
    const line = await refusal(...args)
    expect(line).toContain(message)
    expect(line).toMatch(/^strongroom: [^\n]+\n$/)
  })
})
