import type { KeyUsageType } from '@aws-sdk/client-kms'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { Failure } from '../../../src/errors.ts'
import type { HeldKey, Hsm, KeyInspection } from '../../../src/hsm/hsm.ts'
import { connectHsm } from '../../../src/hsm/registry.ts'
import { encodeHeader } from '../../../src/model/keys/ciphertext.ts'
import type { SupportedKeySpec } from '../../../src/model/keys/key-spec.ts'
import { newMaterial } from '../../contracts/hsm.ts'
import { FaultHsm } from '../../fault-hsm/fault-hsm.ts'
import { createSoftHsm, type SoftHsm } from '../softhsm.ts'
import { duplicate } from './duplicate.ts'

const kinds: readonly (readonly [SupportedKeySpec, KeyUsageType])[] = [
  ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'],
  ['RSA_2048', 'ENCRYPT_DECRYPT'],
  ['RSA_3072', 'ENCRYPT_DECRYPT'],
  ['RSA_2048', 'SIGN_VERIFY'],
  ['RSA_3072', 'SIGN_VERIFY'],
  ['ECC_NIST_P256', 'SIGN_VERIFY'],
  ['ECC_NIST_P521', 'SIGN_VERIFY'],
  ['ECC_NIST_P256', 'KEY_AGREEMENT'],
  ['ECC_NIST_P384', 'KEY_AGREEMENT'],
  ['ECC_SECG_P256K1', 'SIGN_VERIFY'],
  ['ECC_NIST_EDWARDS25519', 'SIGN_VERIFY'],
  ['HMAC_224', 'GENERATE_VERIFY_MAC'],
  ['HMAC_512', 'GENERATE_VERIFY_MAC'],
]

let softHsm: SoftHsm
let faults: FaultHsm
let hsm: Hsm
/** A key of each kind that the tests neither change nor destroy. */
const strangers: HeldKey[] = []

beforeAll(async () => {
  softHsm = await createSoftHsm()
  faults = new FaultHsm(softHsm.directory)
  const environment = { ...softHsm.options.environment, ...faults.environment() }
  hsm = await connectHsm({ ...softHsm.options, library: faults.library, environment })
  for (const kind of kinds) strangers.push(await generate(...kind))
})
afterEach(() => faults.clear())
afterAll(async () => {
  await hsm?.close()
  softHsm?.remove()
})

async function generate(spec: SupportedKeySpec, usage: KeyUsageType): Promise<HeldKey> {
  const object = newMaterial()
  const { publicKey, checkValue } = await hsm.generateKey(object, spec, usage, 'inspected')
  return { object, spec, usage, publicKey, checkValue }
}

/** Both looks, which must find the same. */
async function inspect(key: HeldKey): Promise<KeyInspection> {
  const thorough = await hsm.inspectKey(key, 'thorough')
  expect(await hsm.inspectKey(key, 'quick')).toEqual(thorough)
  return thorough
}

describe.each(kinds)('a key %s for %s', (spec, usage) => {
  let key: HeldKey
  let other: HeldKey

  beforeAll(async () => {
    key = await generate(spec, usage)
    other = strangers.find(stranger => stranger.spec === spec && stranger.usage === usage)!
  })

  it('passes right after it was generated', async () => {
    expect(await inspect(key)).toEqual({})
  })

  it('is missing while its object is hidden, and passes again when it is back', async () => {
    faults.set(`hide ${key.object}`)
    expect(await inspect(key)).toEqual({ fault: 'missing' })
    expect(await inspect(other)).toEqual({})
    faults.clear()
    expect(await inspect(key)).toEqual({})
  })

  it('is a wrong key while another key of its type has its CKA_ID', async () => {
    faults.set(`swap ${key.object} ${other.object}`)
    expect(await inspect(key)).toEqual({ fault: 'wrong_key' })
    expect(await inspect(other)).toEqual({ fault: 'wrong_key' })
    faults.clear()
    expect(await inspect(key)).toEqual({})
  })

  it('has wrong attributes while the object does, and reports which', async () => {
    faults.set(`expose ${key.object}`)
    const attributes = ['sensitive', 'extractable', 'neverExtractable', 'alwaysSensitive']
    expect(await inspect(key)).toEqual({ fault: 'wrong_attributes', attributes })
    faults.clear()
    expect(await inspect(key)).toEqual({})
  })

  it('is a duplicate while another process has an object with its CKA_ID on the token', async () => {
    duplicate('create', key.object, softHsm)
    expect(await hsm.inspectKey(key, 'thorough')).toEqual({ fault: 'duplicate' })
    duplicate('destroy', key.object, softHsm)
    expect(await inspect(key)).toEqual({})
  })

  it('does not pass for any other key on the token', async () => {
    for (const stranger of strangers) {
      faults.set(`swap ${key.object} ${stranger.object}`)
      expect(await inspect(key), `${stranger.spec} ${stranger.usage}`).toEqual({ fault: 'wrong_key' })
      faults.clear()
    }
  })
})

describe('an inspection of a key', () => {
  let key: HeldKey
  const text = Buffer.from('text')

  beforeAll(async () => {
    key = await generate('SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT')
  })

  it('makes every worker forget its handle of the key', async () => {
    const other = await generate('SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT')
    const sealed = await hsm.encrypt(key.object, text, text)
    faults.set(`swap ${key.object} ${other.object}`)
    // Its workers learn the keys while they are swapped.
    const environment = { ...softHsm.options.environment, ...faults.environment() }
    const late = await connectHsm({ ...softHsm.options, library: faults.library, environment })
    await expect(late.decrypt(key.object, sealed, text)).rejects.toThrow()
    faults.clear()
    await expect(late.decrypt(key.object, sealed, text)).rejects.toThrow()
    expect(await late.inspectKey(key, 'quick')).toEqual({})
    const opened = await Promise.all(Array.from({ length: 20 }, () => late.decrypt(key.object, sealed, text)))
    expect(new Set(opened.map(bytes => Buffer.from(bytes).toString()))).toEqual(new Set(['text']))
    await late.close()
  })

  it('finds wrong attributes only, without a check value', async () => {
    const { checkValue: _, ...old } = key
    const other = await generate('SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT')
    faults.set(`swap ${key.object} ${other.object}`)
    expect(await inspect(old)).toEqual({})
    faults.set(`expose ${key.object}`)
    expect(await inspect(old)).toMatchObject({ fault: 'wrong_attributes' })
  })

  it('finds a wrong key by its check value', async () => {
    const { checkValue } = await generate('SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT')
    expect(await inspect({ ...key, checkValue })).toEqual({ fault: 'wrong_key' })
    const { publicKey } = await generate('ECC_NIST_P256', 'SIGN_VERIFY')
    expect(await inspect({ ...(await generate('ECC_NIST_P256', 'SIGN_VERIFY')), publicKey })).toEqual({
      fault: 'wrong_key',
    })
  })

  it.each([
    ['C_Decrypt', 'CKR_FUNCTION_FAILED'],
    ['C_GetAttributeValue', 'CKR_GENERAL_ERROR'],
    ['C_FindObjectsInit', 'CKR_DEVICE_MEMORY'],
  ])('that cannot be finished, as %s answers %s, has no finding', async (name, returnCode) => {
    faults.set(`fail ${name} ${returnCode}`)
    await expect(hsm.inspectKey(key, 'thorough')).rejects.toBeInstanceOf(Failure)
    faults.clear()
    expect(await inspect(key)).toEqual({})
  })

  it('whose session is lost is repeated in another one', async () => {
    faults.set('fail C_Decrypt CKR_SESSION_HANDLE_INVALID times 1')
    expect(await hsm.inspectKey(key, 'quick')).toEqual({})
    expect(faults.counts()[0]!.hits).toBe(1)
  })

  it('does not use handles that were just renumbered', async () => {
    faults.set('renumber-handles')
    expect(await inspect(key)).toEqual({})
  })

  it('has a result although the first workers crash', async () => {
    const mac = await generate('HMAC_256', 'GENERATE_VERIFY_MAC')
    await vi.waitUntil(() => hsm.health.workers === 1, { timeout: 10_000 })
    const before = hsm.health.starts
    // Not a function that a worker calls at its start.
    faults.set('crash C_Sign times 2')
    expect(await hsm.inspectKey(mac, 'quick')).toEqual({})
    expect(hsm.health.starts).toBeGreaterThan(before)
  })
})

describe('a check value', () => {
  it('cannot be obtained by a caller: its MAC is of a message too long for KMS, its AAD of no blob', async () => {
    const { checkValue, ...mac } = await generate('HMAC_256', 'GENERATE_VERIFY_MAC')
    const message = Buffer.alloc(4097, 'strongroom: proof of a key')
    expect(Buffer.from(await hsm.generateMac(mac, 'HMAC_SHA_256', message))).toEqual(Buffer.from(checkValue!))
    const aes = await generate('SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT')
    const [iv, ciphertext] = [aes.checkValue!.subarray(0, 12), aes.checkValue!.subarray(12)]
    const aad = Buffer.from('strongroom: proof of a key')
    expect(Buffer.from(await hsm.decrypt(aes.object, { iv, ciphertext }, aad))).toEqual(aad)
    expect(aad[0]).not.toBe(encodeHeader(aes.object, 12)[0])
  })

  it('exists for secret keys and not for pairs', () => {
    expect(strangers).toHaveLength(kinds.length)
    for (const { spec, checkValue, publicKey } of strangers) {
      expect(checkValue === undefined, spec).toBe(publicKey !== undefined)
    }
  })

  it('that cannot be computed leaves no key behind', async () => {
    const object = newMaterial()
    faults.set('fail C_Encrypt CKR_FUNCTION_FAILED')
    await expect(hsm.generateKey(object, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'unproven')).rejects.toThrow()
    expect((await hsm.objects()).map(({ id }) => id)).not.toContain(object)
  })
})
