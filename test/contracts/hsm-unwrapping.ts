/** What every implementation of the HSM contract does with wrapped key material. OpenSSL wraps it, and checks the public keys. */
import { createPrivateKey, createPublicKey } from 'node:crypto'
import type { KeyUsageType } from '@aws-sdk/client-kms'
import { beforeAll, describe, expect, it } from 'vitest'
import type { CreatedKey, Hsm } from '../../src/hsm/hsm.ts'
import { keySpecs, type SupportedKeySpec } from '../../src/model/keys/key-spec.ts'
import { type WrappingAlgorithm, wrappingAlgorithmsOf } from '../../src/model/keys/wrapping-algorithm.ts'
import { type Exceptions, newMaterial } from './hsm.ts'
import { newKeyBytes } from './hsm-imports.ts'
import { wrapMaterial } from './wrapping.ts'

const kinds = [
  ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'],
  ['HMAC_224', 'GENERATE_VERIFY_MAC'],
  ['HMAC_256', 'GENERATE_VERIFY_MAC'],
  ['HMAC_384', 'GENERATE_VERIFY_MAC'],
  ['HMAC_512', 'GENERATE_VERIFY_MAC'],
  ['RSA_2048', 'ENCRYPT_DECRYPT'],
  ['RSA_3072', 'SIGN_VERIFY'],
  ['RSA_4096', 'SIGN_VERIFY'],
  ['ECC_NIST_P256', 'SIGN_VERIFY'],
  ['ECC_NIST_P384', 'KEY_AGREEMENT'],
  ['ECC_NIST_P521', 'KEY_AGREEMENT'],
  ['ECC_SECG_P256K1', 'SIGN_VERIFY'],
] as const satisfies readonly (readonly [SupportedKeySpec, KeyUsageType])[]

const wrappingSpec = 'RSA_3072'

/** @param hsm the HSM under test, once it is open */
export function unwrappingContract(hsm: () => Hsm, exceptions: Exceptions): void {
  let wrapping: { readonly object: string; readonly publicKey: Uint8Array }
  beforeAll(async () => {
    const object = newMaterial()
    const { publicKey } = await hsm().createWrappingKey(object, wrappingSpec, 'wrapping key', 'ECC_NIST_P256')
    wrapping = { object, publicKey: publicKey! }
  })

  function unwrap(
    object: string,
    [spec, usage]: readonly [SupportedKeySpec, KeyUsageType],
    algorithm: WrappingAlgorithm,
    bytes: Buffer,
  ): Promise<CreatedKey> {
    const wrapped = { wrappingKey: wrapping.object, wrappingSpec, algorithm, bytes } as const
    return hsm().unwrapKey(object, spec, usage, `unwrapped ${spec}`, wrapped)
  }

  const supported = kinds.filter(([spec]) => exceptions[spec] === undefined)
  describe.each(supported)('wrapped key material of %s for %s', (...kind) => {
    const [spec, usage] = kind
    const material = newKeyBytes(spec)
    const fingerprints = new Set<string>()

    it.each(wrappingAlgorithmsOf(spec))('comes with %s, is the same key, and passes inspections', async algorithm => {
      const object = newMaterial()
      const created = await unwrap(object, kind, algorithm, wrapMaterial(wrapping.publicKey, algorithm, material))
      const { custody, publicKey, checkValue, fingerprint } = created
      expect(custody).toMatchObject({ sensitive: true, extractable: false, imported: true })
      if (keySpecs[spec].type === 'asymmetric') {
        const own = createPrivateKey({ key: material, format: 'der', type: 'pkcs8' })
        expect(Buffer.from(publicKey!)).toEqual(createPublicKey(own).export({ format: 'der', type: 'spki' }))
      }
      const key = { object, spec, usage, publicKey, checkValue, imported: true }
      expect(await hsm().inspectKey(key, 'thorough')).toEqual({})
      fingerprints.add(Buffer.from(fingerprint!).toString('hex'))
    })

    it('has one fingerprint, that of the same key imported in plaintext, and of no other', async () => {
      const imported = await hsm().importKey(newMaterial(), spec, usage, 'in plaintext', Buffer.from(material))
      expect([...fingerprints]).toEqual([Buffer.from(imported.fingerprint!).toString('hex')])
      expect(imported.fingerprint).toHaveLength(32)
    })
  })
}
