import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, readFileSync } from 'node:fs'
import { Agent } from 'node:https'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { startGateway } from '../../src/assemble.ts'
import { parseConfig } from '../../src/config.ts'
import { OperatorError } from '../../src/errors.ts'
import { home, type Installation, install, serve, strongroom, type WrittenConfig } from './gateway.ts'

/** How a gateway starts, and how it does not: one clear line, and it never listens. */

let installation: Installation
let written: string

beforeAll(async () => {
  installation = await install()
  written = readFileSync(join(installation.folder, 'strongroom.yaml'), 'utf8')
})
afterAll(() => installation?.remove())

const inFolder = (name: string) => join(installation.folder, name)

/** Starts in this process, which is quicker, with a configuration and storage of its own. */
async function startWith(name: string, change: (config: WrittenConfig) => void): Promise<unknown> {
  const config = parse(written) as WrittenConfig
  config.listen.port = 0
  config.storage.file = `${name}.db`
  copyFileSync(inFolder('strongroom.db'), inFolder(config.storage.file))
  config.audit.file = `${name}.jsonl`
  config.log = { level: 'fatal' }
  change(config)
  return startGateway(parseConfig(stringify(config), inFolder(`${name}.yaml`)))
}

describe('a mistake', () => {
  const softhsm = (config: WrittenConfig) => config.hsms.softhsm!

  type Row = readonly [what: string, change: (config: WrittenConfig) => void, says: string]
  const rows: readonly Row[] = [
    ['no-profile', config => Object.assign(softhsm(config), { profile: 'none' }), 'unknown HSM profile "none"'],
    ['no-library', config => (softhsm(config).library = '/nowhere/lib.so'), 'cannot load the PKCS#11 library: '],
    ['no-token', config => (softhsm(config).token.label = 'elsewhere'), 'no token with label "elsewhere"'],
    ['no-pin', config => (softhsm(config).pinFile = 'none'), 'cannot read the PIN file '],
    [
      'no-tls',
      config => (config.listen.tls = { certificateFile: 'none.crt', keyFile: 'none.key' }),
      'cannot read the TLS file ',
    ],
    [
      'bad-tls',
      config => (config.listen.tls = { certificateFile: 'pin', keyFile: 'pin' }),
      'cannot use the TLS files ',
    ],
    ['bad-audit', config => (config.audit.file = 'strongroom.yaml'), 'is not an audit journal'],
    ['no-audit', config => (config.audit.file = 'none/audit.jsonl'), 'check that its folder exists'],
    ['bad-storage', config => (config.storage.file = 'strongroom.yaml'), 'is not a SQLite database'],
    ['no-storage', config => (config.storage.file = 'none/strongroom.db'), 'is missing: restore it'],
    ['no-host', config => (config.listen.host = '192.0.2.1'), 'no such address on this machine'],
  ]

  it.each(rows)('is reported in one line: %s', async (name, change, says) => {
    const message = await startWith(name, change).then(
      () => 'it started',
      error => (error instanceof OperatorError ? error.message : `not for the operator: ${error}`),
    )
    expect(message).toContain(says)
    expect(message).not.toContain('\n')
  })

  it.each(['listen', 'metrics'])('is reported for a port in use: that of %s', async section => {
    const occupant = createServer().listen(0, '127.0.0.1')
    await once(occupant, 'listening')
    const { port } = occupant.address() as AddressInfo
    const starting = startWith(`${section}-port`, config => {
      config[section] = { host: '127.0.0.1', port }
    })
    await expect(starting).rejects.toThrow(`cannot listen on 127.0.0.1:${port}: the port is in use`)
    occupant.close()
  })

  it('ends the process with that line and exit code 1, and the PIN is not tried again', async () => {
    installation.configure(config => (softhsm(config).pinFile = 'so-pin'))
    const { code, stdout, stderr } = await strongroom(['serve', '--data', installation.folder])
    installation.configure(config => (softhsm(config).pinFile = 'pin'))
    const line = `strongroom: HSM softhsm: the token refused the PIN in ${inFolder('so-pin')} (CKR_PIN_INCORRECT): correct it and restart, it is not tried again\n`
    expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: '', stderr: line })
  })
})

describe('a gateway with TLS', () => {
  it('is reached by an SDK that trusts its certificate, and shares its storage with no other', async () => {
    const openssl = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost'
    const names = ['-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', 'tls.key', '-out', 'tls.crt']
    execFileSync('openssl', [...openssl.split(' '), ...names], { cwd: installation.folder, stdio: 'pipe' })
    installation.configure(config => (config.listen.tls = { certificateFile: 'tls.crt', keyFile: 'tls.key' }))
    const gateway = await serve(installation)
    try {
      expect(gateway.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/)
      const httpsAgent = new Agent({ ca: readFileSync(inFolder('tls.crt')) })
      const kms = gateway.client({ requestHandler: { httpsAgent } })
      const { KeyMetadata } = await kms.createKey({})
      expect((await kms.listKeys({})).Keys).toEqual([{ KeyId: KeyMetadata!.KeyId, KeyArn: KeyMetadata!.Arn }])
      expect(gateway.records().find(({ eventName }) => eventName === 'CreateKey')!.tlsDetails).toEqual({
        tlsVersion: 'TLSv1.3',
        cipherSuite: expect.stringMatching(/^TLS_AES_\d+_GCM_SHA\d+$/),
        clientProvidedHostHeader: new URL(gateway.url).host,
      })
      await expect(gateway.client().listKeys({})).rejects.toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })

      for (const command of ['serve', 'init']) {
        const { code, stdout, stderr } = await strongroom([command, '--data', installation.folder])
        expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
        expect(stderr).toBe(
          `strongroom: storage ${inFolder('strongroom.db')} is in use by another Strongroom process: stop it first\n`,
        )
      }
    } finally {
      expect(await gateway.stop()).toBe(0)
    }
    for (const event of ['gateway_stopping', 'gateway_stopped']) await gateway.logged(fields => fields.event === event)
  })
})

describe('the young generation of V8', () => {
  it.each([
    ['is small', '', /\0--max-semi-space-size=8\0/],
    ['is as the operator sets it', '--max_semi_space_size=32', /node\0[^-\0][^\0]*\0serve\0/],
  ])('%s', async (_name, options, expected) => {
    const gateway = await serve(installation, { environment: { NODE_OPTIONS: options } })
    try {
      expect(readFileSync(`/proc/${gateway.pid}/cmdline`, 'utf8')).toMatch(expected)
    } finally {
      await gateway.stop()
    }
  })
})

describe('init', () => {
  it('is safe to repeat: it changes nothing that exists', async () => {
    const before = readFileSync(inFolder('credentials'), 'utf8')
    const { code, stderr } = await strongroom(['init', '--data', installation.folder, '--account', home])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(readFileSync(inFolder('credentials'), 'utf8')).toBe(before)
  })
  it('reads no keys if nothing is missing, as there may be many', async () => {
    const database = new DatabaseSync(inFolder('strongroom.db'))
    database.exec(`insert into keys (arn, id, account, region, spec, usage, origin, state, description, creation_date, tags, policy, revision)
      values ('arn', 'id', '', '', '', '', '', '', '', 0, 'not JSON', '', 1)`)
    database.close()
    const outcome = (command: string) => strongroom([command, '--data', installation.folder])
    expect(await outcome('init')).toMatchObject({ code: 0, stderr: '' })
    expect(await outcome('serve')).toMatchObject({ code: 1, stderr: expect.stringContaining('not JSON') })
  })
})
