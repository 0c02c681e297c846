import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Command } from 'commander'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { withAdministration } from '../../src/cli/administration.ts'
import { xks as xksCommand } from '../../src/cli/xks.ts'
import { copy } from '../../src/storage/dump/transfer.ts'
import { sqlite } from '../../src/storage/engines/sqlite.ts'
import { postgresql } from '../postgresql.ts'
import { makeCertificate } from '../server/certificates.ts'
import { engineOf } from '../storage/open.ts'
import { cases } from '../thorough.ts'
import { type Gateway, home, type Installation, install, recordsOf, serve, strongroom } from './gateway.ts'
import { withIdentities } from './identities.ts'

async function moveToPostgresql({ folder, configure }: Installation): Promise<void> {
  const database = await (await postgresql()).createDatabase()
  const { host, port, user } = database
  await copy(sqlite(join(folder, 'strongroom.db')), engineOf(database), () => performance.now())
  writeFileSync(join(folder, 'database-password'), database.password, { mode: 0o600 })
  const postgres = { host, port, user, database: database.database, passwordFile: 'database-password' }
  configure(config => Object.assign(config, { storage: { postgres } }))
}

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

  it.each<[string, (installation: Installation) => Promise<void>]>([
    ['SQLite', async () => {}],
    ['PostgreSQL', moveToPostgresql],
  ])('is waited for by a gateway that starts, on %s', async (_, move) => {
    const installation = await install()
    await move(installation)
    let starting: Promise<Gateway> | undefined
    await withAdministration({ data: installation.folder }, async administer => {
      expect(await administer('ListAccounts', {})).toEqual(expected)
      starting = serve(installation)
      // By then it has tried.
      await Promise.race([starting.catch(() => {}), delay(2000)])
    })
    await (await starting!).stop()
    installation.remove()
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

  it.each<readonly [readonly string[], string]>(
    cases(
      [
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
      ],
      3,
    ),
  )('says in one line why it refuses %j', async (args, message) => {
    const line = await refusal(...args)
    expect(line).toContain(message)
    expect(line).toMatch(/^strongroom: [^\n]+\n$/)
  })

  describe('strongroom xks', () => {
    /** Runs the command in this process, which is cheaper; resolves to its output. */
    async function xks(...args: readonly string[]): Promise<string> {
      const program = new Command().exitOverride().configureOutput({ writeErr() {} })
      xksCommand(program)
      for (const command of program.commands) command.copyInheritedSettings(program)
      const written = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
      try {
        await program.parseAsync(['xks', ...args, '--data', installation.folder], { from: 'user' })
        return written.mock.calls.map(([text]) => text).join('')
      } finally {
        written.mockRestore()
      }
    }
    const create = async (...args: readonly string[]) =>
      JSON.parse(await xks('create-prefix', ...args, '--region', 'us-east-1'))
    const administer = (operation: string, input: object) =>
      withAdministration({ data: installation.folder }, call => call(operation, input))
    let keyId: string
    beforeAll(async () => {
      keyId = (await gateway.client().createKey({})).KeyMetadata!.KeyId!
      await gateway.client().createAlias({ AliasName: 'alias/served', TargetKeyId: keyId })
    })

    it('prints exactly what the console of AWS KMS imports, and puts the secret nowhere else', async () => {
      const configuration = {
        XksProxyUriPath: '/tenant-a/kms/xks/v1',
        XksProxyAuthenticationCredential: {
          AccessKeyId: expect.stringMatching(/^[A-Z2-7]{20,30}$/),
          RawSecretAccessKey: expect.stringMatching(/^[a-zA-Z0-9/+=]{43,64}$/),
        },
      }
      const created = await create('tenant-a')
      const rotated = JSON.parse(await xks('rotate-credential', '/tenant-a/'))
      expect([created, rotated]).toEqual([configuration, configuration])
      const [first, second] = [created, rotated].map(({ XksProxyAuthenticationCredential: one }) => one)
      expect(first.RawSecretAccessKey).not.toBe(second.RawSecretAccessKey)
      const recorded = gateway.records().filter(({ eventName }) => /^CreateXks/.test(String(eventName)))
      expect(recorded.map(({ responseElements }) => responseElements)).toEqual([
        { accessKeyId: first.AccessKeyId },
        { accessKeyId: second.AccessKeyId },
      ])
      const listed = await xks('prefixes', '--json')
      const files = readdirSync(installation.folder, { withFileTypes: true }).filter(entry => entry.isFile())
      const stored = files.map(({ name }) => readFileSync(join(installation.folder, name), 'latin1'))
      for (const { RawSecretAccessKey: secret } of [first, second]) {
        for (const text of [listed, ...stored, ...gateway.warnings()]) expect(text).not.toContain(secret)
      }

      await expect(xks('rotate-credential', 'tenant-a')).rejects.toThrow('delete the one that is not used')
      await xks('update-credential', 'tenant-a', first.AccessKeyId, '--status', 'Inactive')
      expect(await xks('prefixes')).toMatch(
        new RegExp(
          `^tenant-a  /tenant-a/kms/xks/v1, account ${home}, us-east-1, 0 keys\n` +
            `  ${first.AccessKeyId}  Inactive  created \\S+  never used\n` +
            `  ${second.AccessKeyId}  Active    created \\S+  never used\n$`,
        ),
      )
      await xks('delete-credential', 'tenant-a', first.AccessKeyId)
      await expect(xks('delete-credential', 'tenant-a', second.AccessKeyId)).rejects.toThrow('the only credential')
    })

    it('changes the settings of a prefix that are named, and no others', async () => {
      const ca = join(installation.folder, 'ca.pem')
      makeCertificate({ certificateFile: ca, keyFile: join(installation.folder, 'ca.key') })
      const name = 'cks.kms.us-east-1.amazonaws.com'
      await create(
        'tenants/b',
        '--quota',
        '1800',
        '--client-certificate',
        name,
        '--client-ca',
        ca,
        '--sample-proxy-aad',
      )
      const uri = `tenants/b  /tenants/b/kms/xks/v1, account ${home}, us-east-1, 0 keys`
      const settings = async (...args: readonly string[]) =>
        (await xks('update-prefix', 'tenants/b', ...args)).split('\n')[0]!.slice(uri.length)
      const own = `client certificate ${name} of its own CA`
      expect(await settings()).toBe(`, 1800 requests/s, ${own}, sample proxy AAD`)
      expect(await settings('--freeze', '--quota', 'none')).toBe(`, frozen, ${own}, sample proxy AAD`)
      expect(await settings('--client-certificate', 'kms')).toBe(', frozen, client certificate kms, sample proxy AAD')
      const all = ['--unfreeze', '--client-certificate', 'none', '--sample-proxy-aad', 'off']
      expect(await settings(...all)).toBe('')
    })

    it('serves keys by their ids or by others, freezes, pins and removes them', async () => {
      const { XksProxyUriPath } = await create('/')
      expect(XksProxyUriPath).toBe('/kms/xks/v1')
      expect(await xks('keys', 'add', '/', keyId)).toBe(`${keyId}\n`)
      expect(await xks('keys', 'add', '/', 'alias/served', '--id', 'payments.2', '--pin-first-user')).toBe(
        'payments.2\n',
      )
      const arn = `arn:aws:kms:us-east-1:${home}:key/${keyId}`
      const line = `payments.2  ${arn}  Enabled`
      expect((await xks('keys', 'list', '/')).split('\n').sort()).toEqual(
        [
          '',
          expect.stringMatching(new RegExp(`^${keyId} *  ${arn}  Enabled$`)),
          expect.stringMatching(/^payments\.2 .*Enabled {2}will be pinned to the first KMS key that uses it$/),
        ].sort(),
      )
      const update = (...args: readonly string[]) => xks('keys', 'update', '/', 'payments.2', ...args)
      expect(await update('--freeze', '--no-pin')).toBe(`${line}  frozen\n`)
      expect(await update('--unfreeze')).toBe(`${line}\n`)
      await expect(xks('delete-prefix', '/')).rejects.toThrow('has 2 external keys: remove them first')
      for (const id of [keyId, 'payments.2']) await xks('keys', 'remove', '/', id)
      await xks('delete-prefix', '/')
      expect(await xks('prefixes')).not.toContain(' /kms/xks/v1')
      const last = gateway
        .records()
        .filter(({ eventName }) => eventName === 'DeleteXksKey')
        .at(-1)
      expect(last).toMatchObject({ requestParameters: { prefix: '', id: 'payments.2' }, resources: [{ ARN: arn }] })
    })

    it.each(
      cases(
        [
          [
            'a prefix with an empty segment',
            'create-prefix',
            ['a//b', '--region', 'us-east-1'],
            'a prefix has letters',
          ],
          ['a prefix with a dot', 'create-prefix', ['a.b', '--region', 'us-east-1'], 'a prefix has letters'],
          ['a prefix that is too long', 'create-prefix', ['a'.repeat(117), '--region', 'us-east-1'], 'too long'],
          ['a region without an HSM', 'create-prefix', ['c', '--region', 'mars-1'], 'no HSM of region mars-1'],
          ['a prefix that exists', 'create-prefix', ['tenant-a', '--region', 'us-east-1'], 'exists already'],
          ['a quota of zero', 'create-prefix', ['c', '--region', 'us-east-1', '--quota', '0'], 'A quota is a number'],
          ['a CA without a name', 'update-prefix', ['tenant-a', '--client-ca', 'ca.pem'], 'needs --client-certificate'],
          ['an unknown prefix', 'rotate-credential', ['nowhere'], 'there is no XKS prefix nowhere'],
          ['an unknown credential', 'delete-credential', ['tenant-a', 'A'.repeat(20)], 'has no credential AAAA'],
        ],
        3,
      ),
    )('refuses %s', async (_, command, args, message) => {
      await expect(xks(command, ...args)).rejects.toThrow(message)
    })

    it.each([
      ['that does not exist', { key: 'alias/nothing' }, 'there is no key'],
      ['of another region', { key: `arn:aws:kms:eu-west-1:${home}:key/${'0'.repeat(8)}` }, 'Invalid arn eu-west-1'],
      ['with a dot as its id', { id: '.' }, 'an external key id has'],
      ['with two dots as its id', { id: '..' }, 'an external key id has'],
      ['with a slash in its id', { id: 'a/b' }, 'an external key id has'],
      ['with an id that is too long', { id: 'a'.repeat(129) }, 'an external key id has'],
    ])('serves no key %s', async (_, input, message) => {
      const whole = { prefix: 'tenant-a', key: keyId, ...input }
      await expect(administer('CreateXksKey', whole)).rejects.toThrow(message)
    })

    it('serves symmetric encryption keys that live on only', async () => {
      const make = async (input: object) => (await gateway.client().createKey(input as never)).KeyMetadata!.KeyId!
      const hmac = await make({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' })
      const doomed = await make({})
      await gateway.client().scheduleKeyDeletion({ KeyId: doomed })
      const served = (key: string) => administer('CreateXksKey', { prefix: 'tenant-a', key })
      await expect(served(hmac)).rejects.toThrow('its key spec is HMAC_256, not SYMMETRIC_DEFAULT')
      await expect(served(doomed)).rejects.toThrow('it is pending deletion')
    })
  })
})
