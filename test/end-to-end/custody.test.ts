import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FaultHsm } from '../fault-hsm/fault-hsm.ts'
import { installFaults } from './fault-injection.ts'
import { type Gateway, type Installation, install, serve } from './gateway.ts'
import { refusal, send } from './requests.ts'

/** Keys whose HSM objects vanish or change: what callers and operators see of it, and how it ends. */

let installation: Installation
let faults: FaultHsm
let gateway: Gateway
let kms: KMS
/** Material id of the gateway's own key. */
let sealKey: unknown

beforeAll(async () => {
  installation = await install()
  faults = installFaults(installation)
  const database = new DatabaseSync(join(installation.folder, 'strongroom.db'))
  sealKey = database.prepare("select object from system_keys where purpose = 'seal'").get()!.object
  database.close()
  gateway = await serve(installation)
  kms = gateway.client()
})
afterAll(async () => {
  await gateway?.stop()
  installation?.remove()
})

async function create(): Promise<{ arn: string; material: string }> {
  const { KeyMetadata } = await kms.createKey({})
  return { arn: KeyMetadata!.Arn!, material: KeyMetadata!.CurrentKeyMaterialId! }
}

async function state(KeyId: string) {
  const { KeyState, Enabled } = (await kms.describeKey({ KeyId })).KeyMetadata!
  return { KeyState, Enabled }
}

/** Replaces the rules and lets the HSM seem to come back, which is when all keys are looked at. */
async function change(...rules: readonly string[]): Promise<void> {
  faults.set(...rules)
  for (const pid of gateway.workers()) process.kill(pid, 'SIGKILL')
}

const ready = async () => {
  const { status, body } = await send(`${gateway.url}/readyz`, {})
  return { status, parts: (JSON.parse(body) as { parts: Record<string, string> }).parts }
}

const patient = { timeout: 20_000 }
const unavailable = { KeyState: 'Unavailable', Enabled: false }
const Plaintext = Buffer.from('text')

describe('a key whose object is missing on the HSM', () => {
  it('is unavailable until the object is back', async () => {
    const { arn: KeyId, material } = await create()
    const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext })
    await change(`hide ${material}`)
    await expect.poll(() => state(KeyId), patient).toEqual(unavailable)
    const refused = `KMSInvalidStateException: ${KeyId} is unavailable.`
    expect(await refusal(kms.encrypt({ KeyId, Plaintext }))).toBe(refused)
    expect(await refusal(kms.decrypt({ CiphertextBlob }))).toBe(refused)
    expect(await refusal(kms.generateDataKey({ KeyId, KeySpec: 'AES_256' }))).toBe(refused)
    await kms.tagResource({ KeyId, Tags: [{ TagKey: 'still', TagValue: 'possible' }] })

    await kms.disableKey({ KeyId })
    expect(await state(KeyId)).toEqual(unavailable)
    await kms.enableKey({ KeyId })
    await kms.scheduleKeyDeletion({ KeyId })
    expect(await state(KeyId)).toEqual({ KeyState: 'PendingDeletion', Enabled: false })
    await kms.cancelKeyDeletion({ KeyId })
    expect(await state(KeyId)).toEqual(unavailable)
    expect(await refusal(kms.cancelKeyDeletion({ KeyId }))).toBe(
      `KMSInvalidStateException: ${KeyId} is not pending deletion.`,
    )

    await change()
    await expect.poll(() => state(KeyId), patient).toEqual({ KeyState: 'Disabled', Enabled: false })
    await kms.enableKey({ KeyId })
    expect(Buffer.from((await kms.decrypt({ CiphertextBlob })).Plaintext!).toString()).toBe('text')
    const events = gateway.records().filter(({ eventName }) => eventName?.startsWith('MarkKey'))
    expect(events.map(({ eventName, resources }) => [eventName, resources![0]!.ARN])).toEqual([
      ['MarkKeyUnavailable', KeyId],
      ['MarkKeyAvailable', KeyId],
    ])
  })

  it('is reported by health, metrics and log, and others are served', async () => {
    const { arn: KeyId, material } = await create()
    const other = await create()
    await change(`expose ${material}`)
    await expect.poll(() => state(KeyId), patient).toEqual(unavailable)
    await kms.encrypt({ KeyId: other.arn, Plaintext })
    const failing = { storage: 'ok', audit: 'ok', 'hsm/softhsm': 'ok', 'custody/softhsm': 'failing', clock: 'ok' }
    await expect.poll(ready, patient).toEqual({ status: 200, parts: failing })
    const { body } = await send(`${gateway.metricsUrl}/metrics`, {})
    expect(body).toContain('strongroom_hsm_custody_faults{hsm="softhsm",fault="wrong_attributes"} 1\n')
    const alarm = await gateway.logged(({ event, key }) => event === 'custody_fault' && key === KeyId)
    expect(alarm).toMatchObject({ level: 50, hsm: 'softhsm', object: material, fault: 'wrong_attributes' })
    await change()
    await expect.poll(() => state(KeyId), patient).toEqual({ KeyState: 'Enabled', Enabled: true })
  })

  it('makes the gateway unready if it is its own', async () => {
    await change(`expose ${sealKey}`)
    await expect
      .poll(ready, patient)
      .toMatchObject({ status: 503, parts: { 'custody/softhsm': 'failing', clock: 'ok' } })
    await change()
    await expect.poll(ready, patient).toMatchObject({ status: 200, parts: { 'custody/softhsm': 'ok', clock: 'ok' } })
  })
})

describe('a key that was unavailable when the gateway ended', () => {
  it('is still unavailable after a restart', async () => {
    const { arn: KeyId, material } = await create()
    await change(`hide ${material}`)
    await expect.poll(() => state(KeyId), patient).toEqual(unavailable)
    expect(await gateway.stop()).toBe(0)
    gateway = await serve(installation)
    kms = gateway.client()
    expect(await state(KeyId)).toEqual(unavailable)
    await change()
    await expect.poll(() => state(KeyId), patient).toEqual({ KeyState: 'Enabled', Enabled: true })
  })
})
