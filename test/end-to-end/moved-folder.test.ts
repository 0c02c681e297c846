/** A data folder holds all of an installation: where it is moved or copied to, it is that installation, and never touches another one. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openDataFolder } from '../../src/cli/data-folder.ts'
import { settleSoftHsm } from '../../src/cli/softhsm-configuration.ts'
import { cases } from '../thorough.ts'
import { installFaults } from './fault-injection.ts'
import { type Gateway, type Installation, install, recordsOf, serve, strongroom } from './gateway.ts'

let elsewhere: string
let original: Installation
let gateway: Gateway

beforeAll(async () => {
  elsewhere = mkdtempSync(join(tmpdir(), 'strongroom-moved-'))
  original = await install()
  gateway = await serve(original)
})
afterAll(async () => {
  await gateway?.kill()
  original?.remove()
  rmSync(elsewhere, { recursive: true, force: true })
})

function copyOf(name: string): Installation {
  const folder = join(elsewhere, name)
  execFileSync('cp', ['-a', original.folder, folder])
  return { ...original, folder }
}

/** Names and contents of the files of the token. */
const token = ({ folder }: Installation) =>
  execFileSync('sh', ['-c', 'find tokens -type f ! -name "*.lock" | sort | xargs md5sum'], {
    cwd: folder,
    encoding: 'utf8',
  })
const softHsm = ({ folder }: Installation) => join(folder, 'softhsm2.conf')
const inOneLine = (says: RegExp) => new RegExp(`^strongroom: [^\\n]*${says.source}[^\\n]*\\n$`)

describe('a copy of a data folder', () => {
  it('serves beside the original, on its own token', async () => {
    const kms = gateway.client()
    const KeyId = (await kms.createKey({})).KeyMetadata!.KeyId!
    const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext: Buffer.from('text') })
    // Of a folder in use only an atomic snapshot is a backup; this one is at rest.
    await gateway.stop()
    const copy = copyOf("with späces 'and' $(signs)")
    gateway = await serve(original)
    const before = token(original)

    const second = await serve(copy)
    const client = second.client()
    const { Plaintext } = await client.decrypt({ CiphertextBlob })
    expect(Buffer.from(Plaintext!).toString()).toBe('text')
    const made = (await client.createKey({})).KeyMetadata!.KeyId!
    await expect(gateway.client().describeKey({ KeyId: made })).rejects.toMatchObject({ name: 'NotFoundException' })
    expect(token(original)).toBe(before)
    expect(token(copy)).not.toBe(before)
    expect(await second.stop()).toBe(0)
  })

  it('is not changed by doctor until a gateway or init has used it', async () => {
    const copy = copyOf('for-doctor')
    const before = readFileSync(softHsm(copy))
    const { code, stderr } = await strongroom(['doctor', '--data', copy.folder])
    expect(code).toBe(1)
    expect(stderr).toMatch(inOneLine(/if the data folder was moved, start the gateway or run strongroom init once/))
    expect(readFileSync(softHsm(copy))).toEqual(before)
    expect((await strongroom(['init', '--data', copy.folder])).code).toBe(0)
    expect(readFileSync(softHsm(copy), 'utf8')).toContain(`\ndirectories.tokendir = ${copy.folder}/tokens\n`)
  })

  it.each(
    cases([
      ['that is whole', 'nothing'],
      ['without its tokens', 'tokens'],
      ['without its softhsm2.conf', 'softhsm2.conf'],
    ]),
  )('%s is not used with the token of the original, where an old configuration names that', async (_what, name) => {
    const copy = copyOf(`without-${name}`)
    rmSync(join(copy.folder, name), { recursive: true, force: true })
    const configuration = join(copy.folder, 'strongroom.yaml')
    const old = readFileSync(configuration, 'utf8').replace('./softhsm2.conf', softHsm(original))
    writeFileSync(configuration, old)
    const before = token(original)
    for (const command of name === 'nothing' ? ['serve', 'init', 'doctor'] : ['serve']) {
      const { code, stderr } = await strongroom([command, '--data', copy.folder])
      expect(code).toBe(1)
      expect(stderr).toMatch(inOneLine(/uses the token of another data folder/))
      expect(stderr).toContain('set SOFTHSM2_CONF: ./softhsm2.conf')
      expect(stderr).toContain('docs/fleet.md')
    }
    expect(token(original)).toBe(before)
  })

  it('is not needed if only the configuration is elsewhere', () => {
    const configuration = readFileSync(join(original.folder, 'strongroom.yaml'), 'utf8')
    const absolute = configuration
      .replace('./softhsm2.conf', softHsm(original))
      .replace(/(file|pinFile): /g, `$1: ${original.folder}/`)
    const config = join(elsewhere, 'elsewhere.yaml')
    writeFileSync(config, absolute)
    expect(() => settleSoftHsm(openDataFolder({ data: 'unused', config }), { write: true })).not.toThrow()
  })
})

describe('softhsm2.conf', () => {
  const settled = (folder: string) => settleSoftHsm(openDataFolder({ data: folder }), { write: true })

  it('keeps what its user has added, and follows the folder', () => {
    const copy = copyOf('with-settings')
    const written = readFileSync(softHsm(copy), 'utf8').replace(
      'log.level = ERROR',
      'log.level = DEBUG\nslots.removable = true',
    )
    writeFileSync(softHsm(copy), written)
    settled(copy.folder)
    expect(readFileSync(softHsm(copy), 'utf8')).toBe(written.replace(original.folder, copy.folder))
  })

  it('is rewritten if an earlier version wrote it', () => {
    const copy = copyOf('earlier')
    const text = (folder: string) =>
      `directories.tokendir = ${folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n`
    writeFileSync(softHsm(copy), text(original.folder))
    settled(copy.folder)
    expect(readFileSync(softHsm(copy), 'utf8')).toBe(text(copy.folder))
  })

  it.each([
    'directories.tokendir = /var/lib/softhsm/tokens/\nobjectstore.backend = file\n',
    'objectstore.backend = file\n# of our own\ndirectories.tokendir = /somewhere/tokens\n',
  ])('is left alone if it was written by a user: %j', text => {
    const copy = copyOf(`own-${text.length}`)
    writeFileSync(softHsm(copy), text)
    settled(copy.folder)
    expect(readFileSync(softHsm(copy), 'utf8')).toBe(text)
  })

  it.each(
    cases([
      ['#', 'a#b'],
      ['=', 'a=b'],
      ['1000 bytes', 'x/'.repeat(500)],
    ]),
  )('is not written for a folder whose path SoftHSM would misread: with %s', async (_what, name) => {
    const { code, stderr } = await strongroom(['init', '--data', join(elsewhere, name)])
    expect(code).toBe(1)
    expect(stderr).toMatch(inOneLine(/SoftHSM cannot use the folder/))
    expect(existsSync(join(elsewhere, name))).toBe(false)
  })
})

describe('init', () => {
  it('does not restore a secret that was moved away, unless asked to', async () => {
    const copy = copyOf('without-secret')
    const credentials = join(copy.folder, 'credentials')
    renameSync(credentials, join(elsewhere, 'safe'))
    const init = (...options: string[]) =>
      strongroom(['init', '--data', copy.folder, '--account', '111122223333', ...options])
    const { code, stdout } = await init()
    expect(code).toBe(0)
    expect(stdout).toMatch(`Ready. The administrator's access key AKIA111122223333TEST is not in ${credentials}\n`)
    expect((await strongroom(['init', '--data', copy.folder])).stdout).toMatch(/^Ready\.\n/)
    expect(existsSync(credentials)).toBe(false)
    expect((await init('--write-credentials')).code).toBe(0)
    expect(readFileSync(credentials, 'utf8')).toBe(readFileSync(join(elsewhere, 'safe'), 'utf8'))
    expect(recordsOf(copy).at(-1)).toMatchObject({
      eventName: 'WriteCredentials',
      additionalEventData: { accessKeyId: 'AKIA111122223333TEST', command: 'init' },
    })
  })

  it('is refused in a folder that is served, while doctor is not', { timeout: 120_000 }, async () => {
    const { code, stderr } = await strongroom(['init', '--data', original.folder])
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `strongroom: storage ${original.folder}/strongroom.db is in use by another Strongroom process: stop it first\n`,
    })
    // RSA keys take seconds to generate.
    installFaults(original).set('remove-mechanism CKM_RSA_PKCS_KEY_PAIR_GEN')
    expect((await strongroom(['doctor', '--data', original.folder])).code).toBe(0)
    await gateway.client().listKeys({})
    expect(gateway.complaints()).toEqual([])
  })
})
