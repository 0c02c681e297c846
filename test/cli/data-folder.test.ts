/** A data folder is trusted by its ownership and permissions. */
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { readCredentials } from '../../src/cli/credentials.ts'
import { openDataFolder } from '../../src/cli/data-folder.ts'
import { settleSoftHsm } from '../../src/cli/softhsm-configuration.ts'
import { OperatorError } from '../../src/errors.ts'
import { type Installation, install, strongroom } from '../end-to-end/gateway.ts'

const isRoot = process.geteuid!() === 0
const nobody = 65534
const octal = (mode: number) => (mode & 0o7777).toString(8).padStart(4, '0')
const secrets = [
  'pin',
  'so-pin',
  'credentials',
  'strongroom.db',
  'audit.jsonl',
  'audit-00000001.jsonl',
  'audit-2.jsonl',
  'tls.key',
] as const

let installation: Installation
/** A copy of the installation for each test. */
let data: string
const inData = (name: string) => join(data, name)

beforeAll(async () => {
  installation = await install()
  installation.configure(config => {
    config.listen.tls = { certificateFile: 'tls.crt', keyFile: 'tls.key' }
    config.processes = 2
  })
  writeFileSync(join(installation.folder, 'tls.key'), 'not a key', { mode: 0o600 })
  for (const file of ['audit-00000001.jsonl', 'audit-2.jsonl'])
    writeFileSync(join(installation.folder, file), '', { mode: 0o600 })
  data = join(installation.folder, '../', `${installation.folder}-copy`)
})
beforeEach(() => {
  rmSync(data, { recursive: true, force: true })
  cpSync(installation.folder, data, { recursive: true })
  chmodSync(data, 0o700)
})
afterAll(() => {
  installation?.remove()
  rmSync(data, { recursive: true, force: true })
})

function refusal(): string {
  try {
    openDataFolder({ data })
    return 'it is trusted'
  } catch (error) {
    return (error as Error).message
  }
}

/** Root can read everything. */
function asNobody(run: () => void): void {
  if (isRoot) process.seteuid!(nobody)
  try {
    run()
  } finally {
    if (isRoot) process.seteuid!(0)
  }
}

const advice = 'if you trust its content, run'

describe('A data folder', () => {
  it('is opened if only its owner can access it', () => {
    expect(refusal()).toBe('it is trusted')
  })

  // 640 is another matter where root owns the file: see below.
  const modes = [0o666, 0o644, 0o604, 0o620, ...(isRoot ? [] : [0o640])]
  it.each<readonly [name: string, mode: string]>([
    ...secrets.flatMap(name => modes.map(mode => [name, octal(mode)] as const)),
    ['.', '0777'],
    ['.', '0770'],
    ['tokens', '0775'],
    ['tokens', '0703'],
    ['strongroom.yaml', '0666'],
    ['strongroom.yaml', '0664'],
    ['softhsm2.conf', '0646'],
  ])('is refused while %s has the mode %s, and opened after the command in the message', (name, mode) => {
    chmodSync(inData(name), mode)
    const message = refusal()
    expect(message).toContain(`${inData(name)} is accessible to other users (mode ${mode}): ${advice}`)
    expect(message).not.toContain('\n')
    execFileSync('sh', ['-c', message.split(advice)[1]!])
    expect(refusal()).toBe('it is trusted')
  })

  it('is refused while its profile can be written by others', () => {
    writeFileSync(inData('ours.yaml'), 'name: ours\n')
    const configuration = readFileSync(inData('strongroom.yaml'), 'utf8')
    writeFileSync(inData('strongroom.yaml'), configuration.replace('profile: softhsm2', 'profile: ./ours.yaml'))
    expect(refusal()).toBe('it is trusted')
    chmodSync(inData('ours.yaml'), 0o666)
    expect(refusal()).toContain(`${inData('ours.yaml')} is accessible to other users (mode 0666)`)
  })

  it.each(['credentials', 'tokens/*/token.object'])('is refused while others can read %s', name => {
    execFileSync('sh', ['-c', `chmod 644 ${inData(name)}`])
    expect(refusal()).toMatch(/(credentials|token\.object) is accessible to other users \(mode 0644\)/)
  })

  it.skipIf(!isRoot).each([...secrets, '.', 'tokens', 'strongroom.yaml', 'softhsm2.conf'])(
    'is refused while %s is owned by another user, and opened after the command in the message',
    name => {
      chownSync(inData(name), nobody, nobody)
      const message = refusal()
      expect(message).toContain('is owned by user 65534, not by user 0')
      execFileSync('sh', ['-c', message.split(advice)[1]!])
      expect(refusal()).toBe('it is trusted')
    },
  )

  it.each(secrets)('is refused where %s is not a file: it is not opened', name => {
    rmSync(inData(name))
    execFileSync('mkfifo', ['-m', '600', inData(name)])
    expect(refusal()).toBe(`${inData(name)} is not a regular file`)
    rmSync(inData(name))
    mkdirSync(inData(name))
    expect(refusal()).toBe(`${inData(name)} is not a regular file`)
  })

  it('is refused where a link leads to a file that others can change, or replace', () => {
    const elsewhere = mkdtempSync(join(tmpdir(), 'strongroom-elsewhere-'))
    try {
      const pin = join(elsewhere, 'pin')
      renameSync(inData('pin'), pin)
      symlinkSync(pin, inData('pin'))
      expect(refusal()).toBe('it is trusted')
      chmodSync(elsewhere, 0o777)
      expect(refusal()).toContain(`${elsewhere} is accessible to other users (mode 0777)`)
      chmodSync(elsewhere, 0o1777)
      expect(refusal()).toBe('it is trusted')
      chmodSync(pin, 0o606)
      expect(refusal()).toContain(`${pin} is accessible to other users (mode 0606)`)
    } finally {
      rmSync(elsewhere, { recursive: true })
    }
  })

  it.each(['pin', 'tokens', 'strongroom.yaml', 'audit.jsonl', '.'])(
    'is refused where others can replace a link on the way to %s, or own one',
    name => {
      const elsewhere = mkdtempSync(join(tmpdir(), 'strongroom-elsewhere-'))
      const links = mkdtempSync(join(tmpdir(), 'strongroom-links-'))
      try {
        const place = inData(name)
        renameSync(place, join(elsewhere, 'place'))
        symlinkSync(elsewhere, join(links, 'folder'))
        symlinkSync('folder/place', join(links, 'place'))
        symlinkSync(join(links, 'place'), place)
        expect(refusal()).toBe('it is trusted')
        chmodSync(links, 0o777)
        expect(refusal()).toContain(`${links} is accessible to other users (mode 0777)`)
        chmodSync(links, 0o1777)
        expect(refusal()).toBe('it is trusted')
        if (!isRoot) return
        for (const link of ['folder', 'place']) {
          lchownSync(join(links, link), nobody, nobody)
          const message = refusal()
          expect(message).toContain(`${join(links, link)} is owned by user 65534, not by user 0`)
          execFileSync('sh', ['-c', message.split(advice)[1]!])
          expect(refusal()).toBe('it is trusted')
        }
      } finally {
        rmSync(elsewhere, { recursive: true })
        rmSync(links, { recursive: true })
      }
    },
  )

  it.skipIf(!isRoot)('may have a group-readable PIN owned by root, as mounted by Kubernetes', () => {
    mkdirSync(inData('..2026_01_01'), { mode: 0o755 })
    renameSync(inData('pin'), inData('..2026_01_01/pin'))
    chmodSync(inData('..2026_01_01/pin'), 0o440)
    chownSync(inData('..2026_01_01/pin'), 0, 2000)
    symlinkSync('..2026_01_01', inData('..data'))
    symlinkSync('..data/pin', inData('pin'))
    expect(refusal()).toBe('it is trusted')
    chmodSync(inData('..2026_01_01/pin'), 0o444)
    expect(refusal()).toContain('is accessible to other users (mode 0444)')
  })

  it.each(['strongroom.yaml', 'softhsm2.conf', 'credentials', 'tokens', '.'])(
    'is refused in one line while %s cannot be read',
    name => {
      const open = () => {
        const folder = openDataFolder({ data })
        settleSoftHsm(folder, { write: false })
        readCredentials(data, '000000000000')
      }
      settleSoftHsm(openDataFolder({ data }), { write: true })
      if (isRoot) execFileSync('chown', ['-R', `${nobody}`, data])
      asNobody(open)
      chmodSync(inData(name), 0)
      expect(() => asNobody(open)).toThrow(OperatorError)
      expect(() => asNobody(open)).toThrow(
        new RegExp(`^[^\n]*${name === '.' ? data : inData(name)}[^\n]* cannot be [^\n]*$`),
      )
      chmodSync(inData(name), 0o700)
      asNobody(open)
    },
  )

  it.each(['init', 'serve', 'doctor'])('is checked by %s', async command => {
    chmodSync(inData('pin'), 0o666)
    const { code, stdout, stderr } = await strongroom([command, '--data', data])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toBe(
      `strongroom: ${inData('pin')} is accessible to other users (mode 0666): ${advice} chmod 600 ${inData('pin')}\n`,
    )
  })
})

describe('init', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'strongroom-init-'))
    return () => rmSync(folder, { recursive: true, force: true })
  })

  it('writes nothing into a folder in which others can write', async () => {
    chmodSync(folder, 0o777)
    const { code, stderr } = await strongroom(['init', '--data', folder])
    expect(code).toBe(1)
    expect(stderr).toContain('is accessible to other users (mode 0777)')
    expect(readdirSync(folder)).toEqual([])
  })

  it('does not write to existing files or links', async () => {
    writeFileSync(join(folder, 'victim'), 'untouched')
    for (const name of ['credentials.new', 'pin.new', 'strongroom.yaml.new']) symlinkSync('victim', join(folder, name))
    const { code } = await strongroom(['init', '--data', folder])
    expect(code).toBe(0)
    expect(readFileSync(join(folder, 'victim'), 'utf8')).toBe('untouched')
    expect(octal(statSync(join(folder, 'credentials')).mode)).toBe('0600')
    expect(readdirSync(folder).filter(name => /\.[0-9a-f]{16}\./.test(name))).toEqual([])
  })

  it('creates no new PIN for an existing token', async () => {
    rmSync(inData('pin'))
    await strongroom(['init', '--data', data])
    expect(existsSync(inData('pin'))).toBe(false)
    const { code, stderr } = await strongroom(['serve', '--data', data, '--port', '0'])
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(inData('pin')) })
  })

  it('does not follow a dangling link', async () => {
    symlinkSync('/nonexistent/pin', join(folder, 'pin'))
    const { code, stderr } = await strongroom(['init', '--data', folder])
    expect(code).toBe(1)
    expect(stderr).toMatch(/^strongroom: [^\n]*pin[^\n]*\n$/)
  })

  it('creates files for their owner only, whatever the umask', () => {
    const command = [
      process.execPath,
      join(import.meta.dirname, '../../src/main.ts'),
      'init',
      '--data',
      `${folder}/data`,
    ]
    expect(spawnSync('sh', ['-c', 'umask 0; exec "$@"', 'sh', ...command]).status).toBe(0)
    const open = readdirSync(join(folder, 'data'), { recursive: true, encoding: 'utf8' }).filter(
      name => (statSync(join(folder, 'data', name)).mode & 0o077) !== 0,
    )
    expect(open).toEqual([])
  })
})
