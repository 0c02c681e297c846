import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { FaultHsm } from '../fault-hsm/fault-hsm.ts'
import { cases } from '../thorough.ts'
import { installFaults } from './fault-injection.ts'
import { type Gateway, type Installation, install, serve } from './gateway.ts'
import { refusal, send } from './requests.ts'
import { objectsOn } from './token-objects.ts'

/** What an HSM that fails looks like from outside: to clients of the SDK, on health, metrics and in the log. */

let installation: Installation
let faults: FaultHsm
let gateway: Gateway
let kms: KMS

beforeAll(async () => {
  installation = await install({ workers: 2 })
  faults = installFaults(installation)
  await start()
})
beforeEach(() => faults.clear())
afterAll(async () => {
  await gateway?.kill()
  installation?.remove()
})

async function start(): Promise<void> {
  gateway = await serve(installation)
  kms = gateway.client()
}

const patient = { timeout: 20_000 }
const Plaintext = Buffer.from('text')

async function created(): Promise<{ KeyId: string; material: string }> {
  const { KeyMetadata } = await kms.createKey({})
  return { KeyId: KeyMetadata!.Arn!, material: KeyMetadata!.CurrentKeyMaterialId! }
}

/** Encrypts and decrypts without pause until it is stopped; what failed. */
function use(KeyId: string, clients = 8): { stop(): Promise<string[]> } {
  let stopped = false
  const failures: string[] = []
  const roundTrip = async () => {
    const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext })
    const opened = await kms.decrypt({ CiphertextBlob })
    if (!Plaintext.equals(opened.Plaintext!)) throw new Error('another plaintext')
  }
  const loops = Array.from({ length: clients }, async () => {
    while (!stopped) await roundTrip().catch(error => failures.push(String(error)))
  })
  return {
    async stop() {
      stopped = true
      await Promise.all(loops)
      return failures
    },
  }
}

const objects = async () => (await objectsOn(installation)).map(({ id }) => id)

/** Whether the audit has it that the key material was destroyed. */
function destroyed(material: string): boolean {
  const events = gateway.records().filter(({ eventName }) => eventName === 'DestroyKeyMaterial')
  return events.some(event => JSON.stringify(event).includes(material))
}

const readyParts = async () => {
  const { body } = await send(`${gateway.url}/readyz`, {})
  return (JSON.parse(body) as { parts: Record<string, string> }).parts
}

/** The state that the metrics say the HSM is in. */
async function hsmState(): Promise<string | undefined> {
  const { body } = await send(`${gateway.metricsUrl}/metrics`, {})
  return /strongroom_hsm_state\{hsm="softhsm",state="(\w+)"\} 1\n/.exec(body)?.[1]
}

/** Injects a fault under the running load, and waits until it has taken effect that many times. */
async function befallen(rule: string, hits: number): Promise<void> {
  faults.set(rule)
  await expect.poll(() => faults.counts()[0]!.hits, patient).toBe(hits)
}

describe('clients of the SDK', () => {
  it.each(cases([['renumber-handles'], ['drop-sessions'], ['forget-login']]))('see no error of %s', async event => {
    const { KeyId } = await created()
    const clients = use(KeyId)
    await befallen(event, 1)
    await kms.encrypt({ KeyId, Plaintext })
    expect(await clients.stop()).toEqual([])
  })

  it('see no error of a library that crashes, and the gateway is the same process', async () => {
    const { pid } = gateway
    const { KeyId } = await created()
    const workers = gateway.workers()
    const clients = use(KeyId)
    await befallen('crash C_Encrypt times 1', 1)
    const lost = await gateway.logged(({ event, reason }) => event === 'worker_lost' && reason === 'SIGSEGV')
    expect(workers).toContain(lost.worker)
    await expect.poll(() => gateway.workers().filter(worker => !workers.includes(worker)), patient).toHaveLength(1)
    expect(await clients.stop()).toEqual([])
    expect(gateway.pid).toBe(pid)
    expect(await Promise.race([gateway.ended, Promise.resolve('it runs')])).toBe('it runs')
  })
})

describe('an HSM that comes back empty', () => {
  it('makes keys unavailable and logs custody faults, until the keys are back; creates and destroys nothing', async () => {
    const { KeyId, material } = await created()
    const state = async () => (await kms.describeKey({ KeyId })).KeyMetadata!.KeyState
    faults.set('gone')
    await expect
      .poll(() => refusal(kms.encrypt({ KeyId, Plaintext })), patient)
      .toBe('KeyUnavailableException: The HSM is not available.')
    await expect.poll(hsmState, patient).toBe('unavailable')
    expect(await state()).toBe('Enabled')
    faults.set('wipe', 'count C_GenerateKey*', 'count C_CopyObject', 'count C_DestroyObject')
    await expect.poll(hsmState, patient).toBe('untrusted')
    await expect.poll(state, patient).toBe('Unavailable')
    expect(await refusal(kms.encrypt({ KeyId, Plaintext }))).toBe(`KMSInvalidStateException: ${KeyId} is unavailable.`)
    expect(await refusal(kms.createKey({}))).toBe('KeyUnavailableException: The HSM is not available.')
    const alarm = await gateway.logged(({ event, key }) => event === 'custody_fault' && key === KeyId)
    expect(alarm).toMatchObject({ level: 50, hsm: 'softhsm', object: material, fault: 'missing' })
    expect(await gateway.logged(({ state }) => state === 'untrusted')).toMatchObject({
      level: 50,
      event: 'hsm_unavailable',
      reason: 'canary key missing: wrong or re-initialized token?',
    })
    await expect.poll(readyParts, patient).toMatchObject({ 'hsm/softhsm': 'failing', 'custody/softhsm': 'failing' })
    const [, ...changes] = faults.counts()
    // Each worker that starts generates a session key to test the token.
    expect(changes.slice(1).map(({ calls }) => calls)).toEqual([0, changes[2]!.calls])

    faults.clear()
    await expect.poll(state, patient).toBe('Enabled')
    await kms.encrypt({ KeyId, Plaintext })
    await expect.poll(hsmState, patient).toBe('ready')
    const outages = gateway.records().filter(({ eventName }) => eventName === 'MarkHsmUnavailable')
    expect(outages.map(({ serviceEventDetails }) => serviceEventDetails)).toContainEqual(
      // It may be unavailable for less than a second.
      expect.objectContaining({ hsm: 'softhsm', state: expect.stringMatching(/^un/), reason: expect.any(String) }),
    )
  })
})

describe('a worker that dies after it generated a key', () => {
  it('leaves one object: the next worker generates it again', async () => {
    const before = await objects()
    faults.set('crash C_GenerateKey after times 1')
    const { KeyId, material } = await created()
    expect(faults.counts()[0]!.hits).toBe(1)
    await kms.encrypt({ KeyId, Plaintext })
    expect((await objects()).filter(id => !before.includes(id))).toEqual([material])
  })
})

describe('a gateway that dies', () => {
  it('between the creation of a key and its commit leaves an orphan that is reported, and no key is lost', async () => {
    const { KeyId } = await created()
    const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext })
    // Every worker that has generated the key dies, and then the gateway, before the answer.
    faults.set('crash C_GenerateKey after')
    const unanswered = refusal(kms.createKey({}))
    await expect.poll(() => faults.counts()[0]!.hits, patient).toBeGreaterThan(0)
    await gateway.kill()
    await unanswered
    faults.clear()
    await start()
    const { id, label } = await gateway.logged(({ event }) => event === 'orphaned_object')
    expect(await objects()).toContain(id)
    const keys = (await kms.listKeys({ Limit: 1000 })).Keys!.map(({ KeyArn }) => KeyArn)
    expect(keys).toContain(KeyId)
    expect(keys).not.toContain(label)
    const { body } = await send(`${gateway.metricsUrl}/metrics`, {})
    expect(body).toContain('strongroom_hsm_orphaned_objects{hsm="softhsm"} 1\n')
    expect(Buffer.from((await kms.decrypt({ CiphertextBlob })).Plaintext!)).toEqual(Plaintext)
  })

  it('between the commit of a deletion and the destruction destroys the object when it starts again', async () => {
    const { KeyId, material } = await created()
    await kms.scheduleKeyDeletion({ KeyId, PendingWindowInDays: 7 })
    await gateway.stop()
    const database = new DatabaseSync(join(installation.folder, 'strongroom.db'))
    database.prepare('update keys set deletion_date = ? where arn = ?').run(Date.now(), KeyId)
    database.close()
    // The worker destroys a key of its session when it starts.
    faults.set('hang C_DestroyObject skip 1')
    await start()
    await gateway.logged(({ event, key }) => event === 'key_deleted' && key === KeyId)
    await expect.poll(() => faults.counts()[0]!.hits, patient).toBeGreaterThan(0)
    await gateway.kill()
    faults.clear()
    expect(await objects()).toContain(material)
    expect(destroyed(material)).toBe(false)
    await start()
    expect(await refusal(kms.describeKey({ KeyId }))).toBe(`NotFoundException: Key '${KeyId}' does not exist`)
    await expect.poll(() => destroyed(material), patient).toBe(true)
    expect(await objects()).not.toContain(material)
  })
})

describe('a PIN that was changed while the gateway runs', () => {
  it('is tried once and reported by log and metrics, and requests fail', async () => {
    const { KeyId } = await created()
    faults.set('count C_Login', 'fail C_Login CKR_PIN_INCORRECT', 'forget-login')
    await expect
      .poll(() => refusal(kms.encrypt({ KeyId, Plaintext })), patient)
      .toBe('KeyUnavailableException: The HSM is not available.')
    expect(await hsmState()).toBe('pin_refused')
    const { level, reason } = await gateway.logged(({ event }) => event === 'pin_refused')
    expect(level).toBe(50)
    expect(reason).toMatch(/^the token refused the PIN in .*pin \(CKR_PIN_INCORRECT\)/)
    await expect.poll(readyParts, patient).toMatchObject({ 'hsm/softhsm': 'failing' })
    expect(faults.counts()[0]!.calls).toBe(1)
  })
})
