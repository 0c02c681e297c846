/** What callers see when the HSM misbehaves: promises, kept with the misbehaving HSM of test/fault-hsm. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { Failure } from '../../../src/errors.ts'
import type { Hsm, HsmCall } from '../../../src/hsm/hsm.ts'
import type { Mode } from '../../../src/hsm/profiles/profile.ts'
import { connectHsm, type HsmOptions } from '../../../src/hsm/registry.ts'
import { newMaterial } from '../../contracts/hsm.ts'
import { FaultHsm } from '../../fault-hsm/fault-hsm.ts'
import { cases, thorough } from '../../thorough.ts'
import { Callers } from '../callers.ts'
import { logTo } from '../log-to.ts'
import { createSoftHsm, type SoftHsm } from '../softhsm.ts'

const text = Buffer.from('text')
const aad = Buffer.from('aad')
/** Maximum time of a recovery on a busy machine. */
const patient = { timeout: 10_000 }

const canary = newMaterial()
const object = newMaterial()
let softHsm: SoftHsm
let faults: FaultHsm
let hsm: Hsm
const logged: Readonly<Record<string, unknown>>[] = []
const calls: HsmCall[] = []

/** Path of a profile: SoftHSM as is, or in the role of a network HSM. */
function profileIn(mode: Mode): string {
  const path = join(softHsm.directory, `${mode}.yaml`)
  const lines = [`name: ${mode}`, 'basedOn: softhsm2', `mode: ${mode}`, 'sessionsPerWorker: 8']
  writeFileSync(path, [...lines, `singleProcess: ${mode === 'synchronous'}`].join('\n'))
  return path
}

async function connect(options: Partial<HsmOptions> = {}): Promise<Hsm> {
  logged.length = 0
  calls.length = 0
  hsm = await connectHsm({
    ...softHsm.options,
    library: faults.library,
    environment: { ...softHsm.options.environment, ...faults.environment() },
    canary: () => ({ object: canary }),
    observe: call => calls.push(call),
    log: logTo(fields => logged.push(fields)),
    ...options,
  })
  return hsm
}

const events = (event: string) => logged.filter(line => line.event === event)
const lost = () => events('worker_lost')
const ready = () => events('worker_ready').length

beforeAll(async () => {
  softHsm = await createSoftHsm()
  const folder = join(softHsm.directory, 'faults')
  mkdirSync(folder)
  faults = new FaultHsm(folder)
  await connect({ canary: () => undefined, workers: 1 })
  await hsm.generateKey(canary, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'canary')
  await hsm.generateKey(object, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'used by all')
  await hsm.close()
})
afterEach(async () => {
  faults.clear()
  await hsm.close()
})
afterAll(() => softHsm.remove())

const modes: readonly Mode[] = ['synchronous', 'asynchronous']

/** Tests of both modes: the suite runs each in one of them. */
const mainlyIn = (mode: Mode, current: Mode) => it.runIf(thorough || mode === current)

describe.each(modes)('32 callers that encrypt and decrypt without pause, in mode %s,', mode => {
  /** Workers that have the token open. */
  const active = mode === 'synchronous' ? 1 : 2

  mainlyIn('asynchronous', mode)('see no error when sessions, the login or all handles are lost', async () => {
    await connect({ profile: profileIn(mode) })
    const callers = new Callers(hsm, object)
    for (const event of ['drop-sessions', 'forget-login', 'renumber-handles', 'drop-sessions']) {
      await callers.more()
      faults.set(event)
      await vi.waitUntil(() => faults.counts()[0]!.hits === active, patient)
      await callers.more()
    }
    await callers.end()
    expect(callers.refusals).toEqual([])
    expect(callers.wrong).toEqual([])
    expect(await callers.unopened()).toBe(0)
    expect(lost()).toEqual([])
  })

  mainlyIn('asynchronous', mode)(
    'see no error when the library of a worker crashes or breaks, and another worker takes its place',
    async () => {
      await connect({ profile: profileIn(mode), callTimeout: 20_000 })
      const callers = new Callers(hsm, object)
      const rules = [
        'crash C_Encrypt',
        'fail C_Decrypt CKR_CRYPTOKI_NOT_INITIALIZED',
        'fail C_EncryptInit CKR_HOST_MEMORY',
      ]
      for (const [replaced, rule] of rules.entries()) {
        await callers.more()
        faults.set(`${rule} times 1`)
        await vi.waitUntil(() => ready() === active + 1 + replaced, patient)
      }
      await callers.end()
      expect(callers.refusals).toEqual([])
      expect(callers.wrong).toEqual([])
      expect(lost()).toHaveLength(rules.length)
    },
  )

  mainlyIn('synchronous', mode)(
    'are answered in time when a call hangs, and continue on the other worker',
    async () => {
      const callTimeout = 3000
      await connect({ profile: profileIn(mode), callTimeout })
      const callers = new Callers(hsm, object)
      await callers.more()
      const before = callers.done
      faults.set('hang C_Encrypt times 1')
      await vi.waitUntil(() => lost().length === 1 && ready() === active + 1, patient)
      await vi.waitUntil(() => callers.done > before, patient)
      await callers.end()
      expect(callers.refusals.map(({ code }) => code)).toEqual(['KeyUnavailable'])
      expect(callers.refusals[0]!.after).toBeLessThan(1.5 * callTimeout)
      expect(callers.wrong).toEqual([])
    },
  )

  mainlyIn('synchronous', mode)(
    'are refused at once while the device is lost, and served again when it is back',
    async () => {
      await connect({ profile: profileIn(mode) })
      const callers = new Callers(hsm, object)
      await callers.more()
      faults.set('gone')
      await vi.waitUntil(() => hsm.health.state === 'unavailable', patient)
      const lostAt = performance.now()
      const meanwhile = () => callers.refusals.filter(({ at }) => at > lostAt + 100)
      await vi.waitUntil(() => meanwhile().length > 100, patient)
      expect(Math.max(...meanwhile().map(({ after }) => after))).toBeLessThan(500)
      faults.clear()
      await vi.waitUntil(() => hsm.health.workers === active, patient)
      await callers.more()
      await callers.end()
      expect(new Set(callers.refusals.map(({ code }) => code))).toEqual(new Set(['KeyUnavailable']))
      expect(callers.wrong).toEqual([])
      expect(await callers.unopened()).toBe(0)
    },
  )

  mainlyIn('asynchronous', mode)(
    'get no key from a token that comes back empty, which is neither used nor changed',
    async () => {
      await connect({ profile: profileIn(mode) })
      const callers = new Callers(hsm, object)
      await callers.more()
      faults.set('wipe', 'gone')
      await vi.waitUntil(() => hsm.health.state === 'unavailable', patient)
      faults.set('wipe', 'count C_GenerateKey', 'count C_DestroyObject')
      await vi.waitUntil(() => hsm.health.state === 'untrusted', patient)
      await expect(hsm.encrypt(object, text, aad)).rejects.toMatchObject({ code: 'KeyUnavailable' })
      await expect(
        hsm.generateKey(newMaterial(), 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'never made'),
      ).rejects.toMatchObject({ code: 'KeyUnavailable' })
      expect(hsm.health.reason).toMatch(/canary key/)
      faults.clear()
      await vi.waitUntil(() => hsm.health.state === 'ready', patient)
      await callers.end()
      expect(callers.wrong).toEqual([])
      expect(await callers.unopened()).toBe(0)
    },
  )
})

describe('an ambiguous return code', () => {
  it('is blamed on the ciphertext while the canary key works, however often garbage is sent', async () => {
    await connect()
    const sealed = await hsm.encrypt(object, text, aad)
    const garbage = { ...sealed, ciphertext: Buffer.alloc(40, 1) }
    const outcomes = await Promise.allSettled(Array.from({ length: 200 }, () => hsm.decrypt(object, garbage, aad)))
    const codes = outcomes.map(outcome => outcome.status === 'rejected' && outcome.reason.code)
    expect(new Set(codes)).toEqual(new Set(['InvalidCiphertext']))
    expect(Buffer.from(await hsm.decrypt(object, sealed, aad))).toEqual(text)
    expect(lost()).toEqual([])
  })

  it('that was transient is retried: the ciphertext is decrypted', async () => {
    await connect()
    const sealed = await hsm.encrypt(object, text, aad)
    faults.set('fail C_Decrypt CKR_GENERAL_ERROR times 1')
    expect(Buffer.from(await hsm.decrypt(object, sealed, aad))).toEqual(text)
    expect(faults.counts()[0]!.hits).toBe(1)
    expect(lost()).toEqual([])
  })

  it('is blamed on the HSM when the canary key fails: the ciphertext is not reported invalid', async () => {
    await connect({ workers: 1 })
    const sealed = await hsm.encrypt(object, text, aad)
    faults.set('fail C_Decrypt CKR_GENERAL_ERROR')
    await expect(hsm.decrypt(object, sealed, aad)).rejects.toMatchObject({ code: 'KeyUnavailable' })
    faults.clear()
    await vi.waitUntil(() => hsm.health.workers === 1, patient)
    expect(Buffer.from(await hsm.decrypt(object, sealed, aad))).toEqual(text)
  })

  it('is throttling while the canary key works: the call is repeated after a pause', async () => {
    await connect()
    faults.set('fail C_EncryptInit CKR_DEVICE_ERROR times 1')
    await hsm.encrypt(object, text, aad)
    expect(lost()).toEqual([])
    expect(faults.counts()[0]!.hits).toBe(1)
  })
})

describe('an unusable handle of an existing object', () => {
  it('does not make the key missing: it is searched again, and finally the HSM is unavailable', async () => {
    await connect()
    await hsm.encrypt(object, text, aad)
    faults.set('fail C_EncryptInit CKR_KEY_HANDLE_INVALID times 2')
    await hsm.encrypt(object, text, aad)
    faults.set('fail C_EncryptInit CKR_KEY_HANDLE_INVALID')
    await expect(hsm.encrypt(object, text, aad)).rejects.toMatchObject({ code: 'KeyUnavailable' })
  })
})

describe('a key that is not found', () => {
  it('is missing if the canary key is found', async () => {
    await connect()
    faults.set(`hide ${object}`)
    await expect(hsm.encrypt(object, text, aad)).rejects.toMatchObject({ code: 'InvalidState' })
    expect(lost()).toEqual([])
  })

  it.each(
    cases([
      ['the canary key is not found either', () => ['wipe']],
      ['the canary key does not work', () => [`hide ${object}`, 'fail C_Decrypt CKR_GENERAL_ERROR']],
      ['searches find nothing', () => [`hide ${object}`, `hide ${canary}`]],
    ]),
  )('is not reported missing if %s', async (_what, rules) => {
    await connect()
    await hsm.encrypt(object, text, aad)
    faults.set(...rules())
    await expect(hsm.encrypt(object, text, aad)).rejects.toMatchObject({ code: 'KeyUnavailable' })
    faults.clear()
    await vi.waitUntil(() => hsm.health.state === 'ready' && hsm.health.workers > 0, patient)
    await hsm.encrypt(object, text, aad)
  })
})

describe('an HSM that throttles', () => {
  it('answers Throttling if its pauses exceed the time-out', async () => {
    await connect({ callTimeout: 300 })
    faults.set('fail C_Encrypt CKR_SESSION_COUNT')
    await expect(hsm.encrypt(object, text, aad)).rejects.toMatchObject({ code: 'Throttling' })
    expect(lost()).toEqual([])
  })
})

describe('a PIN that was changed while the gateway ran', () => {
  it('is tried once, by one worker, when the login is lost; then the HSM is stopped', async () => {
    await connect()
    await hsm.encrypt(object, text, aad)
    faults.set('count C_Login', 'fail C_Login CKR_PIN_INCORRECT', 'forget-login')
    await expect(hsm.encrypt(object, text, aad)).rejects.toMatchObject({ code: 'KeyUnavailable' })
    expect(hsm.health.state).toBe('pinRefused')
    await delay(500)
    await expect(hsm.random(1)).rejects.toMatchObject({ code: 'KeyUnavailable' })
    expect(faults.counts()[0]!.calls).toBe(1)
  })
})

describe('a PIN that is refused to one worker while another one starts', () => {
  it.each(
    cases([
      ['has loaded the library', 1],
      ['is about to start', 0],
    ]),
  )('is not tried by that one, when it %s', async (_when, initialised) => {
    await connect({ profile: profileIn('asynchronous') })
    const slowly = ['count C_Initialize after', 'delay C_GetSlotList 2s']
    faults.set('count C_Login', ...slowly, 'fail C_Login CKR_PIN_INCORRECT', 'forget-login')
    process.kill(events('worker_ready')[0]!.worker as number, 'SIGKILL')
    await vi.waitUntil(() => faults.counts()[1]!.hits >= initialised, patient)
    await expect(hsm.encrypt(object, text, aad)).rejects.toMatchObject({ code: 'KeyUnavailable' })
    await vi.waitUntil(() => events('worker_start_failed').length === 1, patient)
    expect(faults.counts()[0]!.calls).toBe(1)
    expect(hsm.health.state).toBe('pinRefused')
  })
})

describe('the creation of a key', () => {
  const create = (id: string) => hsm.generateKey(id, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'created')
  const count = async (id: string) => (await hsm.objects()).filter(object => object.id === id).length

  it.each(
    cases([
      ['a crash after the HSM has made it', 'crash C_GenerateKey after times 1'],
      ['an error though the HSM has made it', 'fail C_GenerateKey CKR_DEVICE_ERROR after times 1'],
      ['lost sessions though the HSM has made it', 'fail C_GenerateKey CKR_SESSION_CLOSED after times 1'],
    ]),
  )('leaves one object after %s', async (_what, rule) => {
    await connect({ callTimeout: 20_000 })
    faults.set(rule)
    const created = newMaterial()
    await create(created)
    expect(await count(created)).toBe(1)
    await hsm.encrypt(created, text, aad)
  })

  it('leaves one object when handles are renumbered meanwhile, even with one worker', async () => {
    await connect({ workers: 1 })
    faults.set('fail C_GetAttributeValue CKR_OBJECT_HANDLE_INVALID times 1')
    const created = newMaterial()
    await create(created)
    expect(await count(created)).toBe(1)
  })

  it.each(
    cases([
      ['the HSM says that it failed', 'SYMMETRIC_DEFAULT', 'fail C_GenerateKey CKR_DEVICE_ERROR after'],
      ['the HSM is too busy to tell', 'SYMMETRIC_DEFAULT', 'fail C_GenerateKey CKR_HOST_MEMORY after'],
      // The first four replacements crash when they start.
      ['the library crashes and the HSM is lost', 'SYMMETRIC_DEFAULT', 'crash C_GenerateKey after times 5'],
      ['the call never returns', 'RSA_2048', 'hang C_CopyObject after times 1'],
    ]),
  )('that fails leaves no object, if the HSM has generated it and %s', async (_what, spec, rule) => {
    await connect({ callTimeout: 200 })
    faults.set(rule)
    const created = newMaterial()
    const usage = spec === 'RSA_2048' ? 'SIGN_VERIFY' : 'ENCRYPT_DECRYPT'
    await expect(hsm.generateKey(created, spec, usage, 'refused')).rejects.toBeInstanceOf(Failure)
    expect(faults.counts()[0]!.hits).toBeGreaterThan(0)
    // After the worker that generates it has ended, if necessary.
    await vi.waitUntil(() => hsm.pending === 0 && (rule.startsWith('hang') ? lost().length > 0 : true), patient)
    faults.clear()
    await expect.poll(() => count(created).catch(() => -1), patient).toBe(0)
  })

  it('that hangs is answered in time, and delays no other call', async () => {
    await connect({ callTimeout: 200 })
    faults.set('hang C_GenerateKeyPair')
    const created = hsm.generateKey(newMaterial(), 'RSA_2048', 'SIGN_VERIFY', 'never made')
    const refused = expect(created).rejects.toMatchObject({ code: 'KeyUnavailable' })
    for (let i = 0; i < 20; i++) await hsm.encrypt(object, text, aad)
    await refused
  })
})

describe('a key whose generation exceeds the time-out', () => {
  it('is destroyed, and costs no worker', async () => {
    await connect({ callTimeout: 200 })
    const before = (await hsm.objects()).length
    // Far less than the deadline of the worker, and more than that of the caller.
    faults.set('delay C_GenerateKeyPair 1500ms', 'count C_DestroyObject after')
    const created = newMaterial()
    const creation = hsm.generateKey(created, 'RSA_2048', 'SIGN_VERIFY', 'too late')
    await expect(creation).rejects.toMatchObject({ code: 'KeyUnavailable' })
    // The original in the session, its public key, and the copy that is kept.
    await vi.waitUntil(() => faults.counts()[1]!.hits >= 3, patient)
    expect(await hsm.objects()).toHaveLength(before)
    expect(lost()).toEqual([])
  })
})

describe('the destruction of a key', () => {
  it('is not taken as done if its handle was renumbered meanwhile', async () => {
    await connect()
    const destroyed = newMaterial()
    await hsm.generateKey(destroyed, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'destroyed')
    faults.set('fail C_DestroyObject CKR_OBJECT_HANDLE_INVALID times 1')
    await hsm.destroyKey(destroyed)
    expect((await hsm.objects()).map(({ id }) => id)).not.toContain(destroyed)
  })

  it('is not taken as done if the HSM reports success, but still has the object', async () => {
    await connect()
    const kept = newMaterial()
    await hsm.generateKey(kept, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'kept')
    faults.set('ignore C_DestroyObject')
    await expect(hsm.destroyKey(kept)).rejects.toMatchObject({ code: 'Internal' })
    faults.clear()
    expect((await hsm.objects()).map(({ id }) => id)).toContain(kept)
    await hsm.destroyKey(kept)
  })
})

describe('callers of an overloaded HSM', () => {
  const outcome = (call: Promise<unknown>) =>
    call.then(
      () => 'ok',
      error => error.code as string,
    )

  it('with slow key generation get a few at a time, in turns; too long waits are refused, and no worker is lost', async () => {
    await connect({ callTimeout: 500 })
    faults.set('delay C_GenerateKeyPair 300ms')
    const [greedy, modest] = [hsm.for('greedy'), hsm.for('modest')]
    const many = Array.from({ length: 40 }, () => outcome(greedy.generateKeyPair('ECC_NIST_P256')))
    const one = outcome(modest.generateKeyPair('ECC_NIST_P256'))
    const others = new Callers(hsm, object)
    expect(await one).toBe('ok')
    const outcomes = await Promise.all(many)
    await others.end()
    expect([...new Set(outcomes)].sort()).toEqual(['Throttling', 'ok'])
    expect(others.refusals).toEqual([])
    expect(others.done).toBeGreaterThan(100)
    expect(lost()).toEqual([])
  })

  it('do not wait for another caller’s RSA key to create other keys', async () => {
    await connect({ callTimeout: 10_000 })
    faults.set('delay C_GenerateKeyPair 2s')
    let made = 0
    const slow = Array.from({ length: 4 }, async () => {
      await hsm.for('greedy').generateKey(newMaterial(), 'RSA_2048', 'SIGN_VERIFY', 'slow')
      made++
    })
    for (const spec of ['SYMMETRIC_DEFAULT', 'HMAC_256'] as const) {
      const usage = spec === 'HMAC_256' ? 'GENERATE_VERIFY_MAC' : 'ENCRYPT_DECRYPT'
      await hsm.for('modest').generateKey(newMaterial(), spec, usage, 'quick')
    }
    expect(made).toBe(0)
    await Promise.all(slow)
    expect(lost()).toEqual([])
  })

  it('are refused at once if those before them would not leave enough of the time of a caller', async () => {
    await connect({ workers: 1, callTimeout: 20_000 })
    faults.set('delay C_GenerateRandom 300ms')
    for (let count = 0; count < 3; count++) await hsm.random(1)
    const urgent = hsm.for('urgent', performance.now() + 2500)
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => outcome(urgent.random(1))))
    expect([...new Set(outcomes)].sort()).toEqual(['Throttling', 'ok'])
    expect(await outcome(hsm.for('urgent', performance.now() + 2500).random(1))).toBe('ok')
  })

  it('are refused at once when too many calls wait, whoever has most of them first', async () => {
    await connect({ workers: 1, maxQueuedCalls: 20, callTimeout: 20_000 })
    faults.set('delay C_GenerateRandom 20ms')
    const [greedy, modest] = [hsm.for('greedy'), hsm.for('modest')]
    const many = Array.from({ length: 100 }, () => outcome(greedy.random(1)))
    const few = Array.from({ length: 5 }, () => outcome(modest.random(1)))
    expect(await Promise.all(few)).toEqual(Array(5).fill('ok'))
    const outcomes = await Promise.all(many)
    expect(outcomes.filter(code => code === 'Throttling')).toHaveLength(100 - 32 - 20 + 5)
    expect(outcomes.filter(code => code === 'ok')).toHaveLength(32 + 20 - 5)
    expect(logged).toHaveLength(1)
  })
})

describe('a token that allows few sessions', () => {
  it('is shared by the workers of several gateway processes, which never open more', async () => {
    // With 8 for each worker, and the 2 that each needs for itself, it would be 20.
    faults.set('sessions 12', 'delay C_Encrypt 2ms')
    const options = { profile: profileIn('asynchronous'), workers: 1, gateways: 3 }
    const other = await connect(options)
    await connect(options)
    await Promise.all(
      [hsm, other].flatMap(each => Array.from({ length: 40 }, () => each.encrypt(object, text, aad))),
    ).finally(() => other.close())
    const [{ calls, hits } = { calls: 0, hits: 0 }] = faults.counts()
    expect({ isUsed: calls > 4, refused: hits }).toEqual({ isUsed: true, refused: 0 })
  })

  it('is not used by more workers than it has sessions for', async () => {
    faults.set('sessions 12')
    await expect(connect({ workers: 1, gateways: 5 })).rejects.toThrow(
      'the token allows 12 sessions, too few for 5 workers with 3 each: set fewer processes or workers',
    )
  })
})
