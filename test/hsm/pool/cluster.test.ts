/** Two tokens with the same keys, like those of a vendor's replication: one HSM, whichever of them is available. */
import { randomBytes } from 'node:crypto'
import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Failure } from '../../../src/errors.ts'
import type { Hsm } from '../../../src/hsm/hsm.ts'
import { Cluster } from '../../../src/hsm/pool/cluster.ts'
import type { Dispatcher } from '../../../src/hsm/pool/dispatcher.ts'
import { connectHsm, type HsmOptions } from '../../../src/hsm/registry.ts'
import type { Ability, Lacks } from '../../../src/model/keys/ability.ts'
import type { KeyObject } from '../../../src/model/keys/key.ts'
import { decryptBlob, encryptBlob, type Vault } from '../../../src/vault/ciphertexts.ts'
import { hsmContract, newMaterial } from '../../contracts/hsm.ts'
import { wrapMaterial } from '../../contracts/wrapping.ts'
import { FaultHsm } from '../../fault-hsm/fault-hsm.ts'
import { cases, thorough } from '../../thorough.ts'
import { Callers } from '../callers.ts'
import { logTo } from '../log-to.ts'
import { createSoftHsm, emptySoftHsm, type SoftHsm, softHsmExceptions } from '../softhsm.ts'

const patient = { timeout: 10_000 }
const [canary, object] = [newMaterial(), newMaterial()]
let first: SoftHsm
let second: SoftHsm
let stranger: SoftHsm
let faults: { first: FaultHsm; second: FaultHsm }
let canaryKey: { object: string; checkValue?: Uint8Array | undefined }
let hsm: Hsm

function faultHsm(softHsm: SoftHsm): FaultHsm {
  const folder = join(softHsm.directory, 'faults')
  mkdirSync(folder)
  return new FaultHsm(folder)
}

/** The options of the first token stand for what both have in common. */
async function connect(members: HsmOptions['members'], options: Partial<HsmOptions> = {}): Promise<Hsm> {
  const library = faults.first.library
  hsm = await connectHsm({ ...first.options, library, workers: 1, canary: () => canaryKey, members, ...options })
  return hsm
}

const member = (softHsm: SoftHsm, fault?: FaultHsm) => ({
  tokenLabel: softHsm.options.tokenLabel,
  pinFile: softHsm.pinFile,
  environment: { ...softHsm.options.environment, ...fault?.environment() },
})
const both = () => ({ one: member(first, faults.first), two: member(second, faults.second) })

beforeAll(async () => {
  first = await createSoftHsm()
  const alone = await connectHsm({ ...first.options, workers: 1 })
  const { checkValue } = await alone.generateKey(canary, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'canary')
  canaryKey = { object: canary, checkValue }
  await alone.generateKey(object, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'on both')
  await alone.close()
  second = emptySoftHsm()
  for (const file of ['pin', 'so-pin']) cpSync(join(first.directory, file), join(second.directory, file))
  cpSync(first.directory, second.directory, { recursive: true, filter: path => !path.endsWith('softhsm2.conf') })
  stranger = await createSoftHsm()
  const other = await connectHsm({ ...stranger.options, workers: 1 })
  await other.generateKey(canary, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'of the same name')
  await other.close()
  faults = { first: faultHsm(first), second: faultHsm(second) }
})
afterEach(async () => {
  faults.first.clear()
  faults.second.clear()
  await hsm?.close()
})
afterAll(() => {
  for (const softHsm of [first, second, stranger]) softHsm.remove()
})

describe('two tokens with the same keys', () => {
  it('share the calls', async () => {
    await connect(both())
    faults.first.set('count C_Encrypt')
    faults.second.set('count C_Encrypt')
    const callers = new Callers(hsm, object)
    await vi.waitUntil(() => [faults.first, faults.second].every(fault => fault.counts()[0]!.calls > 50), patient)
    await callers.end()
    expect(callers.refusals).toEqual([])
    expect(hsm.health).toMatchObject({ state: 'ready', workers: 2 })
  })

  it('lose one and get it back without an error', async () => {
    await connect(both())
    const callers = new Callers(hsm, object)
    await callers.more()
    faults.first.set('gone')
    await vi.waitUntil(() => hsm.health.workers === 1, patient)
    expect(hsm.health.state).toBe('ready')
    await callers.more()
    faults.first.clear()
    await vi.waitUntil(() => hsm.health.workers === 2, patient)
    await callers.end()
    expect(callers.refusals).toEqual([])
    expect(callers.wrong).toEqual([])
    expect(await callers.unopened()).toBe(0)
  })

  it('start with one of them, and admit the other one when it is available', async () => {
    faults.second.set('gone')
    await connect(both())
    expect(hsm.health).toMatchObject({ state: 'ready', workers: 1 })
    const members = () => hsm.health.members!.map(({ name, state }) => `${name.split('/')[1]} ${state}`)
    await expect.poll(members, patient).toEqual(['one ready', 'two unavailable'])
    faults.second.clear()
    await vi.waitUntil(() => hsm.health.workers === 2, patient)
  })

  it('find a key on one that the other does not have yet', async () => {
    await connect(both())
    const created = newMaterial()
    await hsm.generateKey(created, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'not copied yet')
    const texts = Array.from({ length: 20 }, (_, i) => Buffer.from(`text ${i}`))
    await Promise.all(texts.map(text => hsm.encrypt(created, text, Buffer.alloc(0))))
    await expect(hsm.encrypt(newMaterial(), texts[0]!, Buffer.alloc(0))).rejects.toMatchObject({
      code: 'InvalidState',
    })
  })
})

it('wrapped key material is unwrapped by the token that has the wrapping key already', async () => {
  const wrappingKey = newMaterial()
  const alone = await connectHsm({ ...second.options, workers: 1 })
  const { publicKey } = await alone.createWrappingKey(wrappingKey, 'RSA_2048', 'on one', 'HMAC_256')
  await alone.close()
  await connect(both())
  const [wrappingSpec, algorithm] = ['RSA_2048', 'RSAES_OAEP_SHA_1'] as const
  const wrapped = { wrappingKey, wrappingSpec, algorithm, bytes: wrapMaterial(publicKey!, algorithm, randomBytes(32)) }
  const unwrap = () => hsm.unwrapKey(newMaterial(), 'HMAC_256', 'GENERATE_VERIFY_MAC', 'unwrapped', wrapped)
  const [one, other] = [await unwrap(), await unwrap()]
  expect(one.fingerprint).toEqual(other.fingerprint)
})

describe('the destruction of a key of two tokens', () => {
  async function onBoth(): Promise<string> {
    const created = newMaterial()
    for (const softHsm of [first, second]) {
      const alone = await connectHsm({ ...softHsm.options, workers: 1 })
      await alone.generateKey(created, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'to be destroyed')
      await alone.close()
    }
    return created
  }
  async function isOn(softHsm: SoftHsm, object: string): Promise<boolean> {
    const alone = await connectHsm({ ...softHsm.options, workers: 1 })
    const objects = await alone.objects()
    await alone.close()
    return objects.some(({ id }) => id === object)
  }

  it('is done on both, whichever one replicates', async () => {
    const created = await onBoth()
    await connect(both())
    await hsm.destroyKey(created)
    expect([await isOn(first, created), await isOn(second, created)]).toEqual([false, false])
  })

  it.each(cases(['first', 'second']))('is not reported as done while the %s is unavailable', async away => {
    const created = await onBoth()
    faults[away].set('gone')
    await connect(both())
    await expect(hsm.destroyKey(created)).rejects.toMatchObject({ code: 'KeyUnavailable' })
    expect(await isOn({ first, second }[away], created)).toBe(true)
    faults[away].clear()
    await vi.waitUntil(() => hsm.health.workers === 2, patient)
    await hsm.destroyKey(created)
    expect([await isOn(first, created), await isOn(second, created)]).toEqual([false, false])
  })
})

describe('a key that one of two tokens has generated without an answer', () => {
  // A key that no worker can generate, and one that kills every worker, including new ones.
  it.each(
    cases([
      ['ECC_NIST_P256', 'SIGN_VERIFY', 'crash C_GenerateKeyPair after times 4'],
      ['RSA_2048', 'SIGN_VERIFY', 'crash C_CopyObject after times 4'],
      ['HMAC_256', 'GENERATE_VERIFY_MAC', 'crash C_GenerateKey after times 5'],
    ]),
  )('is not generated by the other one, too: %s', async (spec, usage, rule) => {
    await connect(both())
    const created = newMaterial()
    faults.first.set(rule)
    await expect(hsm.generateKey(created, spec, usage, 'made by one')).rejects.toMatchObject({
      code: 'KeyUnavailable',
    })
    expect(faults.first.counts()[0]!.hits).toBeGreaterThan(0)
    const other = await connectHsm({ ...second.options, workers: 1 })
    expect((await other.objects()).map(({ id }) => id)).not.toContain(created)
    await other.close()
  })

  it('is generated by the other one if the first was not called', async () => {
    await connect(both())
    faults.first.set('gone')
    const callers = new Callers(hsm, object)
    await vi.waitUntil(() => hsm.health.workers === 1, patient)
    await callers.end()
    const created = newMaterial()
    await hsm.generateKey(created, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'made by the other one')
    await hsm.encrypt(created, Buffer.from('text'), Buffer.alloc(0))
  })
})

it('a cluster supports only what all of its tokens support', () => {
  const able = (lacks: Lacks) => ({ whyUnsupported: (ability: Ability) => lacks[ability] }) as unknown as Dispatcher
  const cluster = new Cluster('c', [able({}), able({ ECDH: 'old firmware' }), able({ ML_DSA_44: 'no ML-DSA' })], 1000)
  expect(cluster.whyUnsupported('ECDH')).toBe('old firmware')
  expect(cluster.whyUnsupported('ML_DSA_44')).toBe('no ML-DSA')
  expect(cluster.whyUnsupported('RSA_2048')).toBeUndefined()
})

describe('a key missing on one of two tokens', () => {
  it('is not reported missing while the other one is unavailable', async () => {
    await connect(both())
    const [created, text] = [newMaterial(), Buffer.from('text')]
    faults.second.set('gone')
    const callers = new Callers(hsm, object)
    await vi.waitUntil(() => hsm.health.workers === 1, patient)
    await callers.end()
    const unknown = { code: 'KeyUnavailable' }
    await expect(hsm.encrypt(created, text, text)).rejects.toMatchObject(unknown)
    const look = hsm.inspectKey({ object: created, spec: 'SYMMETRIC_DEFAULT', usage: 'ENCRYPT_DECRYPT' }, 'thorough')
    await expect(look).rejects.toMatchObject(unknown)
    faults.second.clear()
    await vi.waitUntil(() => hsm.health.workers === 2, patient)
    await expect(hsm.encrypt(created, text, text)).rejects.toMatchObject({ code: 'InvalidState' })
  })
})

describe('a token that only resembles the other one', () => {
  it('is not trusted, as its canary key is another key', async () => {
    const alarms: unknown[] = []
    await connect(
      { one: member(first), other: member(stranger) },
      { log: logTo(({ hsm: name, reason }, level) => level === 'error' && alarms.push([name, reason])) },
    )
    expect(hsm.health).toMatchObject({ state: 'ready', workers: 1 })
    await vi.waitUntil(() => alarms.length > 0, patient)
    expect(alarms[0]).toEqual(['test/other', 'canary key mismatch: wrong or re-initialized token?'])
    const callers = new Callers(hsm, object)
    await callers.rate(300)
    await callers.end()
    expect(callers.refusals).toEqual([])
  })

  it('is refused at the start if it is the only one', async () => {
    const refused = connect({ other: member(stranger) })
    await expect(refused).rejects.toThrow(/^HSM test\/other: canary key mismatch: wrong or re-initialized token\?$/)
  })
})

describe('a token with IVs of another length', () => {
  const header = Buffer.from('the length of the IV')
  const text = Buffer.from('text')

  it.each(cases(['append16', 'prepend12']))('is not used together with one that generates %s', async form => {
    faults.first.set(`gcm-iv ${form}`)
    if (form === 'prepend12') faults.second.set('gcm-iv append16')
    await connect(both())
    await vi.waitUntil(() => hsm.health.workers > 0, patient)
    const { ivLength } = hsm
    const sealed = await Promise.all(
      Array.from({ length: 40 }, () => hsm.encrypt(object, text, Buffer.from([...header, ivLength]), ivLength)),
    )
    for (const { iv } of sealed) expect(iv.length).toBe(ivLength)
    const opened = sealed.map(one => hsm.decrypt(object, one, Buffer.from([...header, ivLength])))
    for (const plaintext of await Promise.all(opened)) expect(Buffer.from(plaintext)).toEqual(text)
    expect(hsm.health.workers).toBe(1)
  })

  it.runIf(thorough)(
    'results in no undecryptable ciphertext while both change repeatedly under load',
    async () => {
      await connect(both())
      const blobs: Uint8Array[] = []
      const refusals = new Set<string>()
      const encryptions = { made: () => 0, count: () => undefined }
      const vault = { hsms: { named: () => hsm }, storage: { encryptions } } as unknown as Vault
      const key = { id: object, createdAt: 0, object: { id: object, hsm: 'test' } as KeyObject }
      let ended = false
      const call = async () => {
        while (!ended) {
          await encryptBlob(vault, key, text).then(
            blob => blobs.push(blob),
            async ({ code }: Failure) => {
              refusals.add(code)
              await delay(5)
            },
          )
        }
      }
      const callers = [call(), call(), call(), call()]
      const grown = async () => {
        const before = blobs.length
        await vi.waitUntil(() => blobs.length > before + 20, patient)
      }
      await grown()
      for (const rule of ['gcm-iv append16', 'gcm-iv prepend12', 'gcm-iv append16']) {
        faults.first.set(rule)
        await delay(300)
        faults.second.set(rule)
        await grown()
      }
      ended = true
      await Promise.all(callers)
      expect(new Set(blobs.map(blob => blob[33]))).toEqual(new Set([12, 16]))
      for (const blob of blobs) expect(Buffer.from(await decryptBlob(vault.hsms, key, blob))).toEqual(text)
      // What SDKs repeat.
      expect([...refusals].filter(code => code !== 'KeyUnavailable')).toEqual([])
    },
    60_000,
  )

  it('is used once its IVs match', async () => {
    faults.second.set('gcm-iv append16')
    await connect(both())
    await vi.waitUntil(() => hsm.health.workers === 1, patient)
    faults.first.clear()
    faults.second.clear()
    const isWhole = async () => {
      await hsm.encrypt(object, text, header).catch(() => undefined)
      return hsm.health.workers === 2
    }
    await vi.waitUntil(isWhole, patient)
  })
})

// Its calls go through the same client and workers as those of SoftHSM alone.
if (thorough)
  hsmContract(
    'a cluster of one token',
    async () => {
      const softHsm = await createSoftHsm()
      const cluster = await connectHsm({ ...softHsm.options, members: { only: {} } })
      return {
        hsm: cluster,
        async dispose() {
          await cluster.close()
          softHsm.remove()
        },
      }
    },
    softHsmExceptions,
    // The worker of the token does them, as without a cluster.
    { imports: false },
  )
