/** How key material comes onto the token, and what is left of it when that fails. */

import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { Failure } from '../../../src/errors.ts'
import type { Hsm } from '../../../src/hsm/hsm.ts'
import { connectHsm, type HsmOptions } from '../../../src/hsm/registry.ts'
import { newMaterial, refusal } from '../../contracts/hsm.ts'
import { newKeyBytes } from '../../contracts/hsm-imports.ts'
import { occurrences } from '../../end-to-end/memory-scan.ts'
import { FaultHsm } from '../../fault-hsm/fault-hsm.ts'
import { children } from '../children.ts'
import { createSoftHsm, type SoftHsm } from '../softhsm.ts'

/** Maximum time of a recovery on a busy machine. */
const patient = { timeout: 10_000 }
let softHsm: SoftHsm
let faults: FaultHsm
let hsm: Hsm

beforeAll(async () => {
  softHsm = await createSoftHsm()
  const folder = join(softHsm.directory, 'faults')
  mkdirSync(folder)
  faults = new FaultHsm(folder)
})
afterEach(() => faults.clear())
afterAll(async () => {
  await hsm?.close()
  softHsm.remove()
})

/** What the HSM is connected with. */
let connected = ''

/** @param flags of the profile, in YAML */
async function connect(flags: readonly string[] = [], options: Partial<HsmOptions> = {}): Promise<void> {
  const wanted = JSON.stringify([flags, options])
  if (connected === wanted) return
  await hsm?.close()
  connected = wanted
  const profile = join(softHsm.directory, 'profile.yaml')
  writeFileSync(profile, ['name: under-test', 'basedOn: softhsm2', ...flags].join('\n'))
  const environment = { ...softHsm.options.environment, ...faults.environment() }
  hsm = await connectHsm({ ...softHsm.options, library: faults.library, environment, profile, workers: 1, ...options })
}

const [spec, usage] = ['HMAC_512', 'GENERATE_VERIFY_MAC'] as const

function importKey(object: string, bytes: Buffer = newKeyBytes(spec)) {
  return hsm.importKey(object, spec, usage, 'imported', bytes)
}

const count = async (id: string) => (await hsm.objects()).filter(object => object.id === id).length
const called = () => Object.fromEntries(faults.counts().map(({ rule, calls }) => [rule.split(' ')[1], calls]))

describe('key material', () => {
  it.each([
    ['ECDH', 'synchronous'],
    ['RSA-OAEP', 'asynchronous'],
  ])('comes with %s, in mode %s, and never in a template', async (method, mode) => {
    await connect([`importMethods: [${method}]`, `mode: ${mode}`])
    faults.set('count C_CreateObject', 'count C_UnwrapKey')
    await importKey(newMaterial())
    await hsm.importKey(newMaterial(), 'RSA_2048', 'SIGN_VERIFY', 'pair', newKeyBytes('RSA_2048'))
    expect(called()).toEqual({ C_CreateObject: 0, C_UnwrapKey: method === 'ECDH' ? 2 : 4 })
  })

  it('leaves no wrapping key on the token', async () => {
    await connect()
    const before = (await hsm.objects()).length
    await importKey(newMaterial())
    expect((await hsm.objects()).length).toBe(before + 1)
  })

  it('is refused where the profile does not allow that, with the reasons for the log', async () => {
    await connect(['importMethods: [ECDH]'])
    faults.set('fail C_UnwrapKey CKR_MECHANISM_INVALID')
    const object = newMaterial()
    const failure = await refusal(importKey(object))
    expect(failure).toMatchObject({
      code: 'UnsupportedOperation',
      message: 'This HSM does not import such key material.',
    })
    expect((failure.cause as Error).message).toContain('ECDH: C_UnwrapKey: CKR_MECHANISM_INVALID')
    expect(await count(object)).toBe(0)
  })

  it('is refused if the token says that it could be read out', async () => {
    await connect()
    const object = newMaterial()
    faults.set(`expose ${object}`)
    expect((await refusal(importKey(object))).code).toBe('UnsupportedOperation')
    expect(await count(object)).toBe(0)
  })

  it('stays in the memory of the worker no longer than in the buffer of the last reads', async () => {
    await connect()
    const mark = randomBytes(32)
    for (let i = 0; i < 30; i++) {
      const object = newMaterial()
      await importKey(object, Buffer.concat([mark, randomBytes(32)]))
      await hsm.destroyKey(object)
    }
    const [worker] = children()
    expect(occurrences(worker!, [mark])[0]).toBeLessThanOrEqual(3)
  })

  it('comes in a template if the token refuses to unwrap it and the profile allows that, but not for long', async () => {
    await connect()
    faults.set('fail C_UnwrapKey CKR_MECHANISM_INVALID')
    const object = newMaterial()
    await importKey(object)
    expect(await count(object)).toBe(1)
    faults.set('count C_UnwrapKey', 'count C_CreateObject')
    await importKey(newMaterial())
    expect(called()).toEqual({ C_UnwrapKey: 1, C_CreateObject: 0 })
  })
})

describe('the import of a key', () => {
  it.each([
    ['a crash after the HSM has made it', 'crash C_UnwrapKey after times 1'],
    ['a refusal though the HSM has made it', 'fail C_UnwrapKey CKR_MECHANISM_INVALID after times 1'],
    ['lost sessions though the HSM has made it', 'fail C_UnwrapKey CKR_SESSION_CLOSED after times 1'],
    ['lost handles meanwhile', 'fail C_GetAttributeValue CKR_OBJECT_HANDLE_INVALID times 1'],
  ])('leaves one object after %s', async (_what, rule) => {
    await connect([], { callTimeout: 20_000, workers: 2 })
    faults.set(rule)
    const object = newMaterial()
    const { custody, checkValue } = await importKey(object)
    expect(faults.counts()[0]!.hits).toBe(1)
    expect(await count(object)).toBe(1)
    const key = { object, spec, usage, checkValue, imported: custody.imported }
    expect(await hsm.inspectKey(key, 'thorough')).toEqual({})
  })

  it.each([
    ['the HSM says that it failed', 'fail C_UnwrapKey CKR_DEVICE_ERROR after'],
    ['the call never returns', 'hang C_UnwrapKey after times 1'],
  ])('that fails leaves no object, if the HSM has made it and %s', async (_what, rule) => {
    await connect([], { callTimeout: 200 })
    faults.set(rule)
    const object = newMaterial()
    await expect(importKey(object)).rejects.toBeInstanceOf(Failure)
    expect(faults.counts()[0]!.hits).toBeGreaterThan(0)
    await vi.waitUntil(() => hsm.pending === 0, patient)
    faults.clear()
    await expect.poll(() => count(object).catch(() => -1), patient).toBe(0)
  })
})
