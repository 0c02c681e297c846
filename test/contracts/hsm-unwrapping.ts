/** What every implementation of the HSM contract does with wrapped key material. OpenSSL wraps it, and checks the public keys. */
import { createPrivateKey, createPublicKey } from 'node:crypto'
import type { KeyUsageType } from '@aws-sdk/client-kms'
import { beforeAll, describe, expect, it } from 'vitest'
import type { CreatedKey, Hsm } from '../../src/hsm/hsm.ts'
import { keySpecs, type SupportedKeySpec } from '../../src/model/keys/key-spec.ts'
import {
  type WrappingAlgorithm,
  wrappingAlgorithms,
  wrappingAlgorithmsOf,
} from '../../src/model/keys/wrapping-algorithm.ts'
import { badWrappings } from './bad-wrapping.ts'
import { type Exceptions, newMaterial, refusal } from './hsm.ts'
import { newKeyBytes } from './hsm-imports.ts'
import { wrapMaterial } from './wrapping.ts'

type Kind = readonly [SupportedKeySpec, KeyUsageType]

const wrappingSpec = 'RSA_2048'

export class Wrapping {
  /** CKA_ID of the wrapping key. */
  readonly object = newMaterial()
  readonly #hsm: () => Hsm
  #publicKey: Buffer | undefined

  constructor(hsm: () => Hsm) {
    this.#hsm = hsm
  }

  async create(): Promise<void> {
    const { publicKey } = await this.#hsm().createWrappingKey(this.object, wrappingSpec, 'wrapping', 'ECC_NIST_P256')
    this.#publicKey = Buffer.from(publicKey!)
  }

  get publicKey(): Buffer {
    return this.#publicKey!
  }

  wrap(algorithm: WrappingAlgorithm, material: Uint8Array): Buffer {
    return wrapMaterial(this.publicKey, algorithm, material)
  }

  unwrap(object: string, [spec, usage]: Kind, algorithm: WrappingAlgorithm, bytes: Uint8Array): Promise<CreatedKey> {
    const wrapped = { wrappingKey: this.object, wrappingSpec, algorithm, bytes } as const
    return this.#hsm().unwrapKey(object, spec, usage, `unwrapped ${spec}`, wrapped)
  }
}

/** Each with every algorithm that may wrap it and has room for it. @param hashes of the algorithms */
export function roundTrips(
  hsm: () => Hsm,
  wrapping: Wrapping,
  kinds: readonly Kind[],
  hashes: readonly string[] = ['sha1', 'sha256'],
): void {
  describe.each(kinds)('wrapped key material of %s for %s', (...kind) => {
    const [spec, usage] = kind
    const material = newKeyBytes(spec)
    const fingerprints = new Set<string>()

    const algorithms = wrappingAlgorithmsOf(spec).filter(
      algorithm =>
        hashes.includes(wrappingAlgorithms[algorithm].hash) &&
        (spec !== 'ECC_NIST_P521' || wrappingAlgorithms[algorithm].usesKeyWrap),
    )
    it.each(algorithms)('comes with %s, is the same key, and passes inspections', async algorithm => {
      const object = newMaterial()
      const created = await wrapping.unwrap(object, kind, algorithm, wrapping.wrap(algorithm, material))
      const { custody, publicKey, checkValue, fingerprint } = created
      expect(custody).toMatchObject({ sensitive: true, extractable: false, imported: true })
      if (keySpecs[spec].type === 'asymmetric') {
        const own = createPrivateKey({ key: material, format: 'der', type: 'pkcs8' })
        expect(Buffer.from(publicKey!)).toEqual(createPublicKey(own).export({ format: 'der', type: 'spki' }))
      }
      const key = { object, spec, usage, publicKey, checkValue, imported: true }
      expect(await hsm().inspectKey(key, 'quick')).toEqual({})
      fingerprints.add(Buffer.from(fingerprint!).toString('hex'))
    })

    it('has the fingerprint of the same key imported in plaintext, and of no other', async () => {
      const imported = await hsm().importKey(newMaterial(), spec, usage, 'in plaintext', Buffer.from(material))
      expect([...fingerprints]).toEqual([Buffer.from(imported.fingerprint!).toString('hex')])
      expect(imported.fingerprint).toHaveLength(32)
      if (keySpecs[spec].isSlowToGenerate) return
      const other = await hsm().importKey(newMaterial(), spec, usage, 'another', newKeyBytes(spec))
      expect(other.fingerprint).not.toEqual(imported.fingerprint)
    })
  })
}

type BadKind = readonly [Parameters<typeof badWrappings>[2], KeyUsageType]

export function refusals(
  hsm: () => Hsm,
  wrapping: Wrapping,
  rows: readonly (readonly [WrappingAlgorithm, ...BadKind])[],
): void {
  it.each(rows)('what should have been wrapped with %s as %s for %s is refused, and leaves nothing', async (...row) => {
    const [algorithm, ...kind] = row
    const before = await hsm().objects()
    const [answers, expected]: [string[], string[]] = [[], []]
    for (const { what, bytes, code } of badWrappings(wrapping.publicKey, algorithm, kind[0], newKeyBytes(kind[0]))) {
      const { code: answered, message } = await refusal(wrapping.unwrap(newMaterial(), kind, algorithm, bytes))
      // Why something does not unwrap, a failure must not tell (Manger, CRYPTO 2001).
      answers.push(`${what}: ${answered} ${answered === 'InvalidCiphertext' ? message : message.slice(0, 28)}`)
      expected.push(`${what}: ${code} ${code === 'InvalidCiphertext' ? '' : 'The key material is invalid:'}`)
    }
    expect(answers).toEqual(expected)
    expect(await hsm().objects()).toEqual(before)
  })
}

/** @param hsm the HSM under test, once it is open */
export function unwrappingContract(hsm: () => Hsm, exceptions: Exceptions): void {
  const wrapping = new Wrapping(hsm)
  beforeAll(() => wrapping.create())

  const kinds: readonly Kind[] = [
    ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'],
    ['HMAC_512', 'GENERATE_VERIFY_MAC'],
    ['RSA_2048', 'ENCRYPT_DECRYPT'],
    ['ECC_NIST_P384', 'KEY_AGREEMENT'],
  ]
  const supported = kinds.filter(([spec]) => exceptions[spec] === undefined)
  roundTrips(hsm, wrapping, supported, ['sha256'])
  refusals(hsm, wrapping, [['RSAES_OAEP_SHA_256', 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT']])

  it('a wrapping key that the HSM does not have is missing', async () => {
    const wrapped = { wrappingKey: newMaterial(), wrappingSpec, algorithm: 'RSAES_OAEP_SHA_256' } as const
    const bytes = wrapping.wrap('RSAES_OAEP_SHA_256', newKeyBytes('SYMMETRIC_DEFAULT'))
    const call = hsm().unwrapKey(newMaterial(), 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'x', { ...wrapped, bytes })
    await expect(call).rejects.toMatchObject({ code: 'InvalidState' })
  })
}
