/** Key material of multi-Region keys on another HSM: the same object where both hold the same keys, and the reason where it cannot be there. */
import { cpSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Hsm } from '../../src/hsm/hsm.ts'
import { connectHsm, type HsmOptions } from '../../src/hsm/registry.ts'
import type { Key, KeyMaterial, KeyObject } from '../../src/model/keys/key.ts'
import type { Hsms } from '../../src/services.ts'
import { Changes, type Storage } from '../../src/storage/storage.ts'
import { createMaterial } from '../../src/vault/materials.ts'
import { replicateMaterial } from '../../src/vault/replication.ts'
import { createSoftHsm, emptySoftHsm, type SoftHsm } from '../hsm/softhsm.ts'

const aes = { spec: 'SYMMETRIC_DEFAULT', usage: 'ENCRYPT_DECRYPT' } as const
const key = {
  ...aes,
  arn: 'arn:aws:kms:us-east-1:111122223333:key/mrk-1',
  region: 'us-east-1',
  multiRegion: 'PRIMARY',
} as Key

let near: SoftHsm
/** A copy of the token of `near`. */
let copy: SoftHsm
let [from, to]: Hsm[] = []
let canary: KeyMaterial
let first: KeyMaterial
/** Of other related keys. */
let related: readonly KeyObject[] = []

function connect({ options }: SoftHsm, name: string, more: Partial<HsmOptions> = {}): Promise<Hsm> {
  return connectHsm({ ...options, workers: 1, ...more, name })
}

/** As a vendor replicates keys. */
function copyToken(): void {
  cpSync(near.directory, copy.directory, { recursive: true, filter: path => !path.endsWith('softhsm2.conf') })
}

/** @param transferKey of `copy` */
function replicate(material: KeyMaterial, of = key, transferKey?: KeyMaterial): Promise<KeyObject> {
  const systemKeys: Record<string, KeyMaterial | undefined> = { 'near canary': canary, 'copy transfer': transferKey }
  const storage = {
    systemKeys: {
      find: (hsm: string, purpose: string) => {
        const material = systemKeys[`${hsm} ${purpose}`]
        return material && { material }
      },
    },
    keys: { related: () => [{ materials: related.map(object => ({ ...material, object })) }] },
  } as unknown as Storage
  const hsms = { all: [from!, to!], named: () => from! } as unknown as Hsms
  return replicateMaterial(of, material, to!, { hsms, storage, changes: new Changes() })
}

beforeAll(async () => {
  near = await createSoftHsm()
  copy = emptySoftHsm()
  from = await connect(near, 'near', { transfersTo: ['copy'] })
  canary = await createMaterial(from, aes, 'canary', 0)
  first = await createMaterial(from, aes, 'first', 0)
  copyToken()
  to = await connect(copy, 'copy')
})
afterAll(async () => {
  await Promise.all([from?.close(), to?.close()])
  near?.remove()
  copy?.remove()
})

describe('an HSM with the same keys', () => {
  it('has the same object', async () => {
    expect(await replicate(first)).toEqual({ ...first.object, hsm: 'copy' })
  })

  it('is waited for while its vendor replicates a new key', async () => {
    const second = await createMaterial(from!, aes, 'second', 0)
    const replication = replicate(second)
    await to!.random(1)
    copyToken()
    expect(await replication).toEqual({ ...second.object, hsm: 'copy' })
  })

  it('that does not get a new key is reported as unavailable for it, so that the caller tries again', async () => {
    const late = await createMaterial(from!, aes, 'late', 0)
    const text = `The HSM copy has the keys of the HSM near, but not yet that of ${key.arn}.`
    await expect(replicate(late)).rejects.toMatchObject({ code: 'KeyUnavailable', message: text })
  })

  it('is not taken to have a key that is another one there', async () => {
    const other = { ...first, object: { ...first.object!, checkValue: canary.object!.checkValue } }
    await expect(replicate(other)).rejects.toMatchObject({
      code: 'UnsupportedOperation',
      message: `The HSM copy has the keys of the HSM near, but that of ${key.arn} fails its custody check there (wrong_key).`,
    })
  })
})

describe('an HSM that a related key uses', () => {
  it('has the object of that key', async () => {
    related = [{ ...first.object!, id: 'ab'.repeat(32), hsm: 'copy' }]
    expect(await replicate(first)).toBe(related[0])
  })

  it('or has the same keys as one, has its object', async () => {
    const elsewhere = { ...first, object: { ...first.object!, id: 'ab'.repeat(32), hsm: 'elsewhere' } }
    related = [first.object!]
    expect(await replicate(elsewhere)).toEqual({ ...first.object, hsm: 'copy' })
  })
})

afterEach(() => {
  related = []
})

describe('an HSM whose canary key is that of the other one by its CKA_ID only', () => {
  it('does not have the same keys', async () => {
    const genuine = canary
    canary = { ...canary, object: { ...canary.object!, checkValue: first.object!.checkValue } }
    await expect(replicate(first)).rejects.toThrow('which holds other keys: ')
    canary = { ...canary, object: { ...canary.object!, checkValue: undefined } }
    await expect(replicate(first)).rejects.toThrow('which holds other keys: ')
    canary = genuine
  })
})

describe('a transfer to an HSM with other keys is refused, with the reason,', () => {
  const refused = `The key material of ${key.arn} is on HSM near, and cannot be brought to HSM copy, which holds other keys`
  let material: KeyMaterial

  beforeAll(async () => {
    // By which nothing is proved.
    canary = { ...canary, object: { ...canary.object!, checkValue: undefined } }
    material = await createMaterial(from!, key, 'may be transferred', 0)
    expect(material.object!.custody.wrapWithTrusted).toBe(true)
  })

  it('of a key that was created before the configuration allowed any', async () => {
    const reason = 'it was created when near had no transfers, and cannot leave: create a new key'
    await expect(replicate(first)).rejects.toMatchObject({
      code: 'UnsupportedOperation',
      message: `${refused}: ${reason}.`,
    })
  })

  it('of a private key', async () => {
    const pair = { ...key, spec: 'ECC_NIST_P256', usage: 'SIGN_VERIFY' } as const
    const reason = 'only symmetric and HMAC keys can be transferred, and key spec ECC_NIST_P256 is neither'
    const own = await createMaterial(from!, pair, 'cannot be transferred', 0)
    expect(own.object!.custody.wrapWithTrusted).toBeUndefined()
    await expect(replicate(own, pair)).rejects.toThrow(`${refused}: ${reason}.`)
  })

  it('while that one has no transfer key', async () => {
    const reason = 'copy has no transfer key: run strongroom multi-region trust --from near --to copy'
    await expect(replicate(material)).rejects.toThrow(`${refused}: ${reason}.`)
  })

  it('while nobody has trusted its transfer key', async () => {
    const id = 'cd'.repeat(32)
    const object = { id, hsm: 'copy', ...(await to!.createWrappingKey(id, 'RSA_2048', 'strongroom transfer')) }
    const reason =
      'near does not trust the transfer key of copy: run strongroom multi-region trust --from near --to copy'
    await expect(replicate(material, key, { id, createdAt: 0, object })).rejects.toThrow(`${refused}: ${reason}.`)
  })
})
