import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { canUseExt4, Ext4Disk } from '../audit/ext4-disk.ts'
import { Preloaded } from '../preloaded/preloaded.ts'
import { type Gateway, type Installation, install, recordsIn, serve } from './gateway.ts'
import { refusal, send } from './requests.ts'

/** Disks that take seconds for a commit, or do not answer: which requests wait for them. */

let folder: string
let disk: Preloaded
let auditDisk: Ext4Disk | undefined
const auditFile = () => join(auditDisk!.folder, 'audit.jsonl')
let installation: Installation
let gateway: Gateway

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'slow-disk-'))
  disk = new Preloaded('slow-disk', folder)
  installation = await install()
  if (canUseExt4) auditDisk = new Ext4Disk()
  if (auditDisk) installation.configure(({ audit }) => Object.assign(audit, { file: auditFile(), writeTimeout: '3s' }))
  gateway = await serve(installation, { environment: disk.environment })
})
afterAll(async () => {
  disk.set(0)
  auditDisk?.thaw()
  await gateway?.kill()
  auditDisk?.[Symbol.dispose]()
  installation?.remove()
  rmSync(folder, { recursive: true })
})

it('that is slow under storage delays requests that change something, and no others', async () => {
  const kms = gateway.client()
  const KeyId = (await kms.createKey({})).KeyMetadata!.KeyId!
  const order: string[] = []
  const note = async (what: string, work: Promise<unknown>) => {
    await work
    order.push(what)
  }
  const calls = async () => {
    for (let number = 0; number < 5; number++) {
      const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext: Buffer.from('text') })
      await kms.decrypt({ CiphertextBlob })
      await kms.describeKey({ KeyId })
      expect((await send(`${gateway.url}/healthz`, {})).status).toBe(200)
    }
  }
  disk.set(3000)
  const changes = ['a', 'b'].map(Description => note('change', kms.updateKeyDescription({ KeyId, Description })))
  await note('calls', calls())
  disk.set(0)
  await Promise.all(changes)
  expect(order).toEqual(['calls', 'change', 'change'])
  expect((await kms.describeKey({ KeyId })).KeyMetadata!.Description).toMatch(/^[ab]$/)
})

it.runIf(canUseExt4)(
  'that stalls under the journal has requests refused, and the gateway resumes by itself',
  async () => {
    const kms = gateway.client()
    const KeyId = (await kms.createKey({})).KeyMetadata!.KeyId!
    const encrypt = () => kms.encrypt({ KeyId, Plaintext: Buffer.from('text') })
    const encryptions = async () => {
      const { body } = await send(`${gateway.metricsUrl}/metrics`, {})
      return Number(/^strongroom_hsm_calls_total\{.*operation="encrypt".*\} (\d+)$/m.exec(body)?.[1])
    }
    const encryptedOnRecord = () =>
      recordsIn(auditFile()).filter(({ eventName, errorCode }) => eventName === 'Encrypt' && errorCode === undefined)
        .length
    await encrypt()
    const before = encryptedOnRecord()
    auditDisk!.freeze()
    const calls = [encrypt(), kms.createKey({}), kms.describeKey({ KeyId }), kms.listKeys({})]
    const health = send(`${gateway.url}/healthz`, {}).then(({ status }) => status)
    const first = await Promise.race([health, ...calls.map(refusal)])
    expect(first).toBe(200)
    expect(new Set(await Promise.all(calls.map(refusal)))).toEqual(new Set(['KMSInternalException']))
    // Each would take three seconds if it waited.
    const begin = performance.now()
    const encrypted = await encryptions()
    for (let times = 0; times < 10; times++) expect(await refusal(encrypt())).toBe('KMSInternalException')
    expect(performance.now() - begin).toBeLessThan(15_000)
    expect(await encryptions()).toBe(encrypted)
    expect(await send(`${gateway.url}/readyz`, {})).toMatchObject({
      status: 503,
      body: expect.stringContaining('"audit":"failing"'),
    })
    auditDisk!.thaw()
    await expect.poll(() => refusal(encrypt()), { timeout: 15_000 }).toBe('no refusal')
    expect(encryptedOnRecord()).toBe(before + 1)
    expect(await gateway.stop()).toBe(0)
  },
)
