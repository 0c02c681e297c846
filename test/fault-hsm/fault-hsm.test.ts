import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { Caller, type IvForm, PIN } from './caller.ts'
import { FaultHsm } from './fault-hsm.ts'

const CKM_AES_GCM = 0x1087
const CKM_CLOUDHSM_AES_GCM = 0x8000_1087
const CKM_EC_MONTGOMERY_KEY_PAIR_GEN = 0x1056
const CKA_SENSITIVE = 0x103
const CKA_EXTRACTABLE = 0x162
const text = Buffer.from('text')
const hex = (id: string) => Buffer.from(id).toString('hex')

const folder = mkdtempSync(join(tmpdir(), 'fault-hsm-'))
const callers: Caller[] = []
let hsm: FaultHsm
let environment: Record<string, string>
/** Two processes that follow the same rules, as two workers would; open, logged in, with the handle of key `one`. */
let first: Caller
let second: Caller

/** SoftHSM may not find its token while another process logs in, so callers start one after the other. */
async function startedCaller(): Promise<Caller> {
  const caller = new Caller(hsm.library, environment)
  callers.push(caller)
  await caller.value('start')
  return caller
}

async function restart(caller: Caller): Promise<void> {
  await caller.ask('finalize')
  await caller.value('start')
  await caller.value('find', 'one')
}

beforeAll(async () => {
  mkdirSync(join(folder, 'tokens'))
  const configuration = join(folder, 'softhsm2.conf')
  writeFileSync(configuration, `directories.tokendir = ${join(folder, 'tokens')}\nobjectstore.backend = file\n`)
  const env = { ...process.env, SOFTHSM2_CONF: configuration }
  const token = ['--init-token', '--free', '--label', 'fault', '--pin', PIN, '--so-pin', PIN]
  execFileSync('softhsm2-util', token, { env, stdio: 'ignore' })
  hsm = new FaultHsm(folder)
  environment = { SOFTHSM2_CONF: configuration, ...hsm.environment() }
  first = await startedCaller()
  await first.value('generate', 'one')
  await first.value('generate', 'two')
  second = await startedCaller()
  await second.value('find', 'one')
})

afterEach(() => hsm.clear())

afterAll(async () => {
  for (const caller of callers) caller.kill()
  await Promise.all(callers.map(caller => caller.ended))
  rmSync(folder, { recursive: true })
})

describe('without rules', () => {
  it('passes calls on to the real module', async () => {
    const { iv, ciphertext } = await first.value('encrypt', 'one', 'caller', text)
    expect(iv).toEqual(Buffer.alloc(12, 7))
    expect(await second.value('decrypt', 'one', 'caller', iv, ciphertext)).toEqual(text)
    expect(await first.value('mechanisms')).toContain(CKM_AES_GCM)
  })
})

describe('rules about calls', () => {
  it('fails a function as often as specified, counted over both processes', async () => {
    hsm.set('fail C_GenerateRandom CKR_DEVICE_MEMORY times 3')
    const answers = [await first.code('random'), await second.code('random'), await first.code('random')]
    expect(answers).toEqual(Array(3).fill('CKR_DEVICE_MEMORY'))
    expect([await first.code('random'), await second.code('random')]).toEqual(['CKR_OK', 'CKR_OK'])
    expect(hsm.counts()).toEqual([{ rule: 'fail C_GenerateRandom CKR_DEVICE_MEMORY times 3', calls: 5, hits: 3 }])
  })

  it('skips the first calls if specified, counted over both processes', async () => {
    hsm.set('fail C_GenerateRandom CKR_DEVICE_MEMORY skip 2 times 1')
    const answers = [await first.code('random'), await second.code('random'), await first.code('random')]
    expect([...answers, await second.code('random')]).toEqual(['CKR_OK', 'CKR_OK', 'CKR_DEVICE_MEMORY', 'CKR_OK'])
  })

  it('fails a function at a rate, the same calls in every run', async () => {
    const run = async () => {
      hsm.set('fail C_GenerateRandom CKR_GENERAL_ERROR rate 0.25')
      const answers = await Promise.all(Array.from({ length: 400 }, () => first.code('random')))
      expect(answers.filter(answer => answer === 'CKR_GENERAL_ERROR')).toHaveLength(hsm.counts()[0]!.hits)
      return answers
    }
    const answers = await run()
    expect(hsm.counts()[0]!.hits).toBeGreaterThan(70)
    expect(hsm.counts()[0]!.hits).toBeLessThan(130)
    expect(await run()).toEqual(answers)
  })

  it('fails after the call has been made, so that its effect is not reported', async () => {
    hsm.set('fail C_GenerateKey CKR_DEVICE_ERROR after')
    expect(await first.code('generate', 'untold')).toBe('CKR_DEVICE_ERROR')
    expect(await first.value('find', 'untold')).toBe(1)
  })

  it('takes a pattern of functions and a code by number', async () => {
    hsm.set('fail C_*Init 0x30')
    expect(await first.code('encrypt', 'one', 'caller', text)).toBe('CKR_DEVICE_ERROR')
    expect(await first.code('digest')).toBe('CKR_DEVICE_ERROR')
    expect(await first.code('random')).toBe('CKR_OK')
  })

  it('delays a function, and adds up several delays', async () => {
    hsm.set('delay C_GenerateRandom 20ms', 'delay C_Generate* 10ms jitter 5ms', 'delay C_Sign 1s')
    const start = performance.now()
    await first.value('random')
    expect(performance.now() - start).toBeGreaterThanOrEqual(30)
  })

  it('never returns from a function, while other calls and processes go on', async () => {
    const hung = await startedCaller()
    hsm.set('hang C_GenerateRandom times 1')
    let answered = false
    hung.ask('random').then(() => {
      answered = true
    })
    await vi.waitUntil(() => hsm.counts()[0]!.hits === 1, { interval: 2 })
    for (let i = 0; i < 50; i++) expect(await second.code('random')).toBe('CKR_OK')
    hsm.clear()
    expect(await second.code('random')).toBe('CKR_OK')
    expect(answered).toBe(false)
    hung.kill()
    expect(await hung.ended).toBe('SIGKILL')
  })

  it('crashes the process in a function', async () => {
    const crashing = await startedCaller()
    hsm.set('crash C_GenerateRandom times 1')
    crashing.ask('random')
    expect(await crashing.ended).toBe('SIGSEGV')
    expect(await second.code('random')).toBe('CKR_OK')
  })

  it('answers calls beyond a rate with a code, over both processes', async () => {
    hsm.set('throttle C_GenerateRandom 0.001/s CKR_DEVICE_ERROR')
    expect(await first.code('random')).toBe('CKR_OK')
    expect([await first.code('random'), await second.code('random')]).toEqual(['CKR_DEVICE_ERROR', 'CKR_DEVICE_ERROR'])
    hsm.set('throttle C_GenerateRandom 100/s CKR_DEVICE_ERROR')
    expect(await first.code('random')).toBe('CKR_OK')
  })

  it('only counts', async () => {
    hsm.set('count C_Login')
    expect(await first.code('login')).toBe('CKR_USER_ALREADY_LOGGED_IN')
    await first.value('random')
    expect(hsm.counts()).toEqual([{ rule: 'count C_Login', calls: 1, hits: 1 }])
  })
})

describe('events', () => {
  it('drops all sessions of every process, once', async () => {
    hsm.set('drop-sessions')
    for (const caller of [first, second]) {
      expect(await caller.code('random')).toBe('CKR_SESSION_HANDLE_INVALID')
      expect(await caller.code('sessionInfo')).toBe('CKR_SESSION_HANDLE_INVALID')
      await caller.value('open')
      expect(await caller.code('random')).toBe('CKR_OK')
      await caller.value('login')
      expect(await caller.value('find', 'one')).toBe(1)
      expect(await caller.code('encrypt', 'one', 'caller', text)).toBe('CKR_OK')
    }
    expect(hsm.counts()[0]!.hits).toBe(2)
  })

  it('drops the sessions again when it is ordered again', async () => {
    for (let order = 0; order < 3; order++) {
      hsm.set('drop-sessions')
      expect(await first.code('random')).toBe('CKR_SESSION_HANDLE_INVALID')
      await first.value('open')
      await first.value('login')
    }
    await restart(first)
  })

  it('does not order an event again when only another rule changes', async () => {
    hsm.set('renumber-handles tag')
    await first.value('find', 'one')
    hsm.set('renumber-handles tag', 'count C_Login')
    expect(await first.code('encrypt', 'one', 'caller', text)).toBe('CKR_OK')
    expect(hsm.counts()[0]!.hits).toBe(0)
  })

  it('loses the login until the next login', async () => {
    await first.value('find', 'one')
    hsm.set('forget-login')
    expect(await first.code('encrypt', 'one', 'caller', text)).toBe('CKR_USER_NOT_LOGGED_IN')
    expect(await first.code('generate', 'three')).toBe('CKR_USER_NOT_LOGGED_IN')
    expect(await first.code('random')).toBe('CKR_OK')
    expect(await first.code('login')).toBe('CKR_OK')
    expect(await first.value('find', 'one')).toBe(1)
    expect(await first.code('encrypt', 'one', 'caller', text)).toBe('CKR_OK')
  })

  it('makes earlier handles stale', async () => {
    await first.value('find', 'one')
    hsm.set('renumber-handles')
    expect(await first.code('encrypt', 'one', 'caller', text)).toBe('CKR_KEY_HANDLE_INVALID')
    expect(await first.code('idOf', 'one')).toBe('CKR_OBJECT_HANDLE_INVALID')
    expect(await first.value('find', 'one')).toBe(1)
    expect(await first.code('encrypt', 'one', 'caller', text)).toBe('CKR_OK')
    expect(await first.value('idOf', 'one')).toBe('one')
  })
})

describe('rules about objects', () => {
  beforeAll(() => restart(first))

  it('hides an object from searches and by handle', async () => {
    hsm.set(`hide ${hex('one')}`)
    expect(await first.value('find', 'one')).toBe(0)
    expect(await first.value('find', 'two')).toBe(1)
    expect(await first.code('encrypt', 'one', 'caller', text)).toBe('CKR_KEY_HANDLE_INVALID')
    expect(await first.code('idOf', 'one')).toBe('CKR_OBJECT_HANDLE_INVALID')
    hsm.clear()
    expect(await first.code('encrypt', 'one', 'caller', text)).toBe('CKR_OK')
  })

  it('swaps two objects', async () => {
    const { iv, ciphertext } = await first.value('encrypt', 'one', 'caller', text)
    hsm.set(`swap ${hex('one')} ${hex('two')}`)
    expect(await first.value('idOf', 'one')).toBe('two')
    expect(await first.value('find', 'one')).toBe(1)
    expect(await first.value('idOf', 'one')).toBe('one')
    expect(await first.code('decrypt', 'one', 'caller', iv, ciphertext)).not.toBe('CKR_OK')
    hsm.clear()
    await first.value('find', 'one')
    expect(await first.value('decrypt', 'one', 'caller', iv, ciphertext)).toEqual(text)
  })

  it('presents an empty token, and destroys nothing', async () => {
    const objects = await first.value('findAll')
    hsm.set('wipe')
    expect(await first.value('findAll')).toBe(0)
    expect(await first.code('encrypt', 'one', 'caller', text)).toBe('CKR_KEY_HANDLE_INVALID')
    hsm.clear()
    expect(await first.value('findAll')).toBe(objects)
    expect(objects).toBeGreaterThan(1)
  })

  it('exposes a key in its attributes only', async () => {
    const attributes = async (id: string) =>
      Buffer.concat([
        await first.value('attribute', id, CKA_SENSITIVE),
        await first.value('attribute', id, CKA_EXTRACTABLE),
      ])
    await first.value('find', 'two')
    hsm.set(`expose ${hex('one')}`)
    expect(await attributes('one')).toEqual(Buffer.from([0, 1]))
    expect(await attributes('two')).toEqual(Buffer.from([1, 0]))
  })
})

describe('forms of the IV of AES-GCM', () => {
  const forms: { form: Exclude<IvForm, 'caller'>; iv: (iv: Buffer, output: Buffer) => Buffer; growth: number }[] = [
    { form: 'writeback12', iv: iv => iv, growth: 16 },
    { form: 'prepend12', iv: (_, output) => output.subarray(0, 12), growth: 28 },
    { form: 'append16', iv: (_, output) => output.subarray(-16), growth: 32 },
  ]
  const parts = {
    writeback12: (iv: Buffer, output: Buffer) => ({ form: 'caller', iv, ciphertext: output }),
    prepend12: (_: Buffer, output: Buffer) => ({ form: 'prepend12', iv: Buffer.alloc(0), ciphertext: output }),
    append16: (_: Buffer, output: Buffer) => ({
      form: 'caller',
      iv: output.subarray(-16),
      ciphertext: output.subarray(0, -16),
    }),
  }

  it.each(forms)('$form: decrypts what it encrypted under an IV of its own', async ({ form, iv: ivOf, growth }) => {
    hsm.set(`gcm-iv ${form}`)
    const ivs = new Set<string>()
    const lengths = fc.uint8Array({ minLength: 1, maxLength: 100 })
    const property = fc.asyncProperty(lengths, async data => {
      const { iv, ciphertext: output } = await first.value('encrypt', 'one', form, Buffer.from(data))
      expect(output).toHaveLength(data.length + growth)
      ivs.add(ivOf(iv, output).toString('hex'))
      const sealed = parts[form](iv, output)
      expect(await second.value('decrypt', 'one', sealed.form, sealed.iv, sealed.ciphertext)).toEqual(Buffer.from(data))
    })
    await restart(second)
    await fc.assert(property, { numRuns: 30 })
    expect(ivs.size).toBe(30)
  })

  it.each(forms)('$form: refuses an IV of the caller', async ({ form }) => {
    hsm.set(`gcm-iv ${form}`)
    expect(await first.code('encrypt', 'one', 'caller', text)).toBe('CKR_MECHANISM_PARAM_INVALID')
    expect(await first.code('encrypt', 'one', form, text)).toBe('CKR_OK')
  })

  it('prepend12: lists the mechanism of the vendor and refuses a ciphertext shorter than IV and tag', async () => {
    expect(await first.value('mechanisms')).not.toContain(CKM_CLOUDHSM_AES_GCM)
    hsm.set('gcm-iv prepend12')
    expect(await first.value('mechanisms')).toContain(CKM_CLOUDHSM_AES_GCM)
    const short = await first.code('decrypt', 'one', 'prepend12', Buffer.alloc(0), Buffer.alloc(27))
    expect(short).toBe('CKR_ENCRYPTED_DATA_LEN_RANGE')
  })

  it('offers two forms at once', async () => {
    hsm.set('gcm-iv writeback12', 'gcm-iv prepend12')
    expect(await first.code('encrypt', 'one', 'writeback12', text)).toBe('CKR_OK')
    expect(await first.code('encrypt', 'one', 'prepend12', text)).toBe('CKR_OK')
  })
})

describe('mechanism rules', () => {
  it('does not list a mechanism that works', async () => {
    hsm.set('hide-mechanism CKM_AES_GCM')
    expect(await first.value('mechanisms')).not.toContain(CKM_AES_GCM)
    expect(await first.code('mechanismInfo', CKM_AES_GCM)).toBe('CKR_MECHANISM_INVALID')
    expect(await first.code('encrypt', 'one', 'caller', text)).toBe('CKR_OK')
  })

  it('lists a mechanism that does not work', async () => {
    hsm.set('claim-mechanism CKM_AES_GCM', 'claim-mechanism 0x1056')
    expect(await first.value('mechanisms')).toEqual(
      expect.arrayContaining([CKM_AES_GCM, CKM_EC_MONTGOMERY_KEY_PAIR_GEN]),
    )
    expect(await first.code('mechanismInfo', CKM_EC_MONTGOMERY_KEY_PAIR_GEN)).toBe('CKR_OK')
    expect(await first.code('encrypt', 'one', 'caller', text)).toBe('CKR_MECHANISM_INVALID')
  })

  it('removes a mechanism', async () => {
    hsm.set('remove-mechanism CKM_AES_GCM')
    expect(await first.value('mechanisms')).not.toContain(CKM_AES_GCM)
    expect(await first.code('encrypt', 'one', 'caller', text)).toBe('CKR_MECHANISM_INVALID')
  })
})

describe('a lost device', () => {
  it('answers CKR_DEVICE_ERROR until it is back and the library initialized again', async () => {
    hsm.set('gone')
    for (const method of ['random', 'slots', 'open', 'sessionInfo'] as const)
      expect(await first.code(method)).toBe('CKR_DEVICE_ERROR')
    expect(await first.code('finalize')).toBe('CKR_OK')
    expect(await first.code('initialize')).toBe('CKR_OK')
    expect(await first.value('slots')).toBe(0)
    hsm.clear()
    expect(await first.value('slots')).toBe(0)
    expect(await first.code('random')).toBe('CKR_DEVICE_ERROR')
    await restart(first)
    expect(await first.code('encrypt', 'one', 'caller', text)).toBe('CKR_OK')
  })
})

describe('the control file', () => {
  const replace = (lines: string) => {
    writeFileSync(join(folder, 'edited'), lines)
    renameSync(join(folder, 'edited'), hsm.control)
  }

  it.each([
    'fail C_Encrpt CKR_DEVICE_ERROR',
    'fail C_Encrypt CKR_NO_SUCH_CODE',
    'fail C_Encrypt CKR_OK',
    'fail C_Encrypt CKR_DEVICE_ERROR times 0',
    'fail C_Encrypt CKR_DEVICE_ERROR rate 2',
    'delay C_Encrypt 2',
    'throttle C_Encrypt 0/s CKR_DEVICE_ERROR',
    'hide xyz',
    'swap 01 0203',
    'wipe times 1',
    'gcm-iv middle',
    'misbehave',
  ])('reports the invalid rule "%s" and applies the others', async bad => {
    second.errors = ''
    replace(`# a comment\n${bad}\n\nfail C_GenerateRandom CKR_CANCEL # of mine\n`)
    expect(await second.code('random')).toBe('CKR_CANCEL')
    await vi.waitUntil(() => second.errors.includes('\n'), { interval: 2 })
    expect(second.errors).toBe(`fault-hsm: ${hsm.control}:2: ignored: ${bad}\n`)
  })

  it('is applied whatever else it contains', async () => {
    const words = fc.constantFrom(
      'fail',
      'delay',
      'C_Sign',
      '*',
      'CKR_CANCEL',
      '2ms',
      'times',
      '3',
      'rate',
      'swap',
      '00',
      '#',
    )
    const line = fc.array(fc.oneof(fc.string({ maxLength: 80 }), words), { maxLength: 6 }).map(parts => parts.join(' '))
    const harmless = line.filter(
      rule => !/^\s*(fail|delay|throttle|hang|crash|ignore|gone)/.test(rule) && !/[\n\0]/.test(rule),
    )
    const property = fc.asyncProperty(harmless, async rule => {
      replace(`${rule}\nfail C_GenerateRandom CKR_CANCEL\n`)
      expect(await second.code('random')).toBe('CKR_CANCEL')
    })
    await fc.assert(property, { numRuns: 100 })
  })

  it('resets counters of older rules', async () => {
    for (let i = 0; i < 5; i++) {
      hsm.set('count C_GenerateRandom')
      await first.ask('random')
      await second.ask('random')
    }
    expect(readdirSync(folder).filter(name => name.endsWith('.counters'))).toHaveLength(1)
  })
})
