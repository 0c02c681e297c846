import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KeyUsageType } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Hsm } from '../../../src/hsm/hsm.ts'
import { connectHsm } from '../../../src/hsm/registry.ts'
import type { SupportedKeySpec } from '../../../src/model/keys/key-spec.ts'
import { newMaterial } from '../../contracts/hsm.ts'
import { thorough } from '../../thorough.ts'
import { createSoftHsm, type SoftHsm } from '../softhsm.ts'

/** Milliseconds. */
const duration = thorough ? 60_000 : 4000

let softHsm: SoftHsm

beforeAll(async () => {
  softHsm = await createSoftHsm()
})
afterAll(() => softHsm.remove())

function connect(profile = 'softhsm2'): Promise<Hsm> {
  return connectHsm({ ...softHsm.options, profile, workers: 1, isShared: true, callTimeout: 10_000 })
}

const specs: readonly (readonly [SupportedKeySpec, KeyUsageType])[] = [
  ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'],
  ['HMAC_256', 'GENERATE_VERIFY_MAC'],
  ['ECC_NIST_P256', 'SIGN_VERIFY'],
]

/** The length of a plaintext and of a message. */
const text = Buffer.from('used at every gateway')

async function use(hsm: Hsm, object: string, spec: SupportedKeySpec): Promise<void> {
  if (spec === 'SYMMETRIC_DEFAULT') await hsm.encrypt(object, text, Buffer.alloc(0))
  else if (spec === 'HMAC_256') await hsm.generateMac({ object, spec }, 'HMAC_SHA_256', text)
  else await hsm.sign({ object, spec }, 'ECDSA_SHA_256', 'RAW', text)
}

describe('a token that several gateways use at once', () => {
  it('keeps every key whole, while they create, list, use and destroy keys, and others start', async () => {
    const hsms = await Promise.all([connect(), connect(), connect()])
    const end = performance.now() + duration
    const kept: string[] = []
    const repeat = async (step: (round: number) => Promise<void>) => {
      for (let round = 0; performance.now() < end; round++) await step(round)
    }
    const createAt = (index: number) =>
      repeat(async round => {
        const [spec, usage] = specs[round % specs.length]!
        const object = newMaterial()
        const made = await hsms[index]!.generateKey(object, spec, usage, 'a key')
        for (const hsm of hsms) await use(hsm, object, spec)
        const held = {
          object,
          spec,
          usage,
          custody: made.custody,
          checkValue: made.checkValue,
          publicKey: made.publicKey,
        }
        expect(await hsms[(index + 1) % hsms.length]!.inspectKey(held, 'thorough')).toEqual({})
        if (round % 4 === 0) kept.push(object)
        else await hsms[(index + 2) % hsms.length]!.destroyKey(object)
      })
    await Promise.all([
      createAt(0),
      createAt(1),
      repeat(async () => void (await hsms[2]!.objects())),
      repeat(async () => (await connect()).close()),
    ])
    const late = await connect()
    const listed = new Set((await late.objects()).map(({ id }) => id))
    expect(kept.filter(object => !listed.has(object))).toEqual([])
    await Promise.all([...hsms, late].map(hsm => hsm.close()))
  }, 120_000)
})

/** As a library that keeps an index in each process: SoftHSM, which remembers its own change as read, and with it the one before. */
describe('a library that misses what other processes create', () => {
  it('has its worker replaced once for each key that it does not find, which then is found or missing', async () => {
    const profile = join(softHsm.directory, 'indexing.yaml')
    writeFileSync(profile, 'name: indexing\nbasedOn: softhsm2\nprocessLock: false\n')
    const [creator, user] = [await connect(), await connect(profile)]
    const [hidden, listed, missing] = [newMaterial(), newMaterial(), newMaterial()]
    const known = newMaterial()
    const create = (hsm: Hsm, object: string) =>
      hsm.generateKey(object, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'a key')
    const hide = async (object: string) => {
      // The first call of a worker opens a session, at which SoftHSM reads the token.
      await user.encrypt(known, text, Buffer.alloc(0))
      const { checkValue } = await create(creator, object)
      await create(user, newMaterial())
      return { object, spec: 'SYMMETRIC_DEFAULT', usage: 'ENCRYPT_DECRYPT', checkValue } as const
    }
    await create(user, known)
    await hide(hidden)
    await use(user, hidden, 'SYMMETRIC_DEFAULT')
    expect(user.health.starts).toBe(2)
    const key = await hide(listed)
    expect(await user.inspectKey(key, 'quick')).toEqual({})
    expect(user.health.starts).toBe(3)
    const noMaterial = { code: 'InvalidState', message: 'The HSM does not have the key material.' }
    await expect(use(user, missing, 'SYMMETRIC_DEFAULT')).rejects.toMatchObject(noMaterial)
    expect(user.health.starts).toBe(4)
    await expect(use(user, missing, 'SYMMETRIC_DEFAULT')).rejects.toMatchObject(noMaterial)
    expect(await user.inspectKey({ ...key, object: missing }, 'quick')).toEqual({ fault: 'missing' })
    expect(user.health.starts).toBe(4)
    await Promise.all([creator.close(), user.close()])
  })
})
