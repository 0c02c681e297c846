/** What every implementation of the HSM contract does with keys of each spec and usage. OpenSSL checks its answers. */
import {
  constants,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  publicEncrypt,
  sign,
  verify,
} from 'node:crypto'
import type { KeyUsageType } from '@aws-sdk/client-kms'
import { beforeAll, describe, expect, it } from 'vitest'
import type { HeldKey, Hsm } from '../../src/hsm/hsm.ts'
import { keySpecs, type SupportedKeySpec } from '../../src/model/keys/key-spec.ts'
import { signingAlgorithms } from '../../src/model/keys/signing-algorithm.ts'
import { type Exceptions, newMaterial, refusal } from './hsm.ts'

type Kind = readonly [SupportedKeySpec, KeyUsageType]

/** Larger keys of the same type cost time and nothing is different about them. */
const kinds: readonly Kind[] = [
  ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'],
  ['RSA_2048', 'ENCRYPT_DECRYPT'],
  ['RSA_2048', 'SIGN_VERIFY'],
  ['ECC_NIST_P256', 'SIGN_VERIFY'],
  ['ECC_NIST_P384', 'SIGN_VERIFY'],
  ['ECC_NIST_P521', 'SIGN_VERIFY'],
  ['ECC_NIST_P256', 'KEY_AGREEMENT'],
  ['ECC_NIST_P384', 'KEY_AGREEMENT'],
  ['ECC_NIST_P521', 'KEY_AGREEMENT'],
  ['ECC_SECG_P256K1', 'SIGN_VERIFY'],
  ['ECC_NIST_EDWARDS25519', 'SIGN_VERIFY'],
  ['ML_DSA_44', 'SIGN_VERIFY'],
  ['ML_DSA_65', 'SIGN_VERIFY'],
  ['ML_DSA_87', 'SIGN_VERIFY'],
  ['HMAC_224', 'GENERATE_VERIFY_MAC'],
  ['HMAC_256', 'GENERATE_VERIFY_MAC'],
  ['HMAC_384', 'GENERATE_VERIFY_MAC'],
  ['HMAC_512', 'GENERATE_VERIFY_MAC'],
]

const message = Buffer.alloc(4096, 'a message ')

function publicKeyOf({ publicKey }: Pick<HeldKey, 'publicKey'>): KeyObject {
  return createPublicKey({ key: Buffer.from(publicKey!), format: 'der', type: 'spki' })
}

/** @param hsm the HSM under test, once it is open */
export function keyContract(hsm: () => Hsm, exceptions: Exceptions): void {
  const known = kinds.filter(([spec]) => exceptions[spec] === undefined)
  const lacking = kinds.filter(([spec]) => exceptions[spec] !== undefined)
  const keys: HeldKey[] = []

  async function generate([spec, usage]: Kind): Promise<HeldKey> {
    const object = newMaterial()
    const { custody, publicKey, checkValue } = await hsm().generateKey(object, spec, usage, `${spec} ${usage}`)
    expect(custody).toEqual({
      sensitive: true,
      extractable: false,
      alwaysSensitive: true,
      neverExtractable: true,
      ...(exceptions.local === undefined && { local: true }),
    })
    return { object, spec, usage, publicKey, checkValue }
  }

  describe.each(known)('a key %s for %s', (...kind) => {
    let key: HeldKey
    beforeAll(async () => {
      key = await generate(kind)
      keys.push(key)
    })

    it('has a public key or a check value as proof', () => {
      expect(key.checkValue === undefined).toBe(key.publicKey !== undefined)
      expect(key.publicKey === undefined).toBe(keySpecs[key.spec].type !== 'asymmetric')
    })

    it.each(['quick', 'thorough'] as const)('passes a %s inspection', async depth => {
      expect(await hsm().inspectKey(key, depth)).toEqual({})
    })

    usages[kind[1]]?.(hsm, kind[0], () => key)
  })

  it('no key passes for another one, of whatever kind', async () => {
    for (const key of keys) {
      const twin = await generate([key.spec, key.usage as Kind[1]])
      for (const other of [...keys.filter(({ object }) => object !== key.object), twin]) {
        const swapped = { ...key, object: other.object }
        expect(await hsm().inspectKey(swapped, 'quick'), `${other.spec} ${other.usage} for ${key.spec}`).toEqual({
          fault: 'wrong_key',
        })
      }
    }
  })

  if (lacking.length > 0) {
    it.each(lacking)('a key %s for %s is refused, with the reason', async (spec, usage) => {
      const { code, message } = await refusal(hsm().generateKey(newMaterial(), spec, usage, 'none'))
      expect(code).toBe('UnsupportedOperation')
      expect(message).toBe(`Key spec ${spec} is not supported by this HSM: ${exceptions[spec]}.`)
    })
  }

  const pairs = known.filter(([, usage]) => usage === 'SIGN_VERIFY').map(([spec]) => spec)
  it.each(pairs.filter(spec => !spec.startsWith('ML_DSA')))(
    'a data key pair %s fits, and leaves no trace',
    async spec => {
      const before = await hsm().objects()
      const { publicKey, privateKey } = await hsm().generateKeyPair(spec)
      const own = createPrivateKey({ key: Buffer.from(privateKey), format: 'der', type: 'pkcs8' })
      const hash = spec.includes('EDWARDS') ? undefined : 'sha256'
      expect(verify(hash, message, publicKeyOf({ publicKey }), sign(hash, message, own))).toBe(true)
      expect(await hsm().objects()).toEqual(before)
    },
  )

  it('a call for a missing key answers InvalidState', async () => {
    const missing = { object: newMaterial(), publicKey: Buffer.alloc(0) }
    const peer = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).publicKey
    const calls = [
      hsm().sign({ ...missing, spec: 'ECC_NIST_P256' }, 'ECDSA_SHA_256', 'RAW', message),
      hsm().decryptRaw({ ...missing, spec: 'RSA_2048' }, 'RSAES_OAEP_SHA_256', Buffer.alloc(256)),
      hsm().generateMac({ ...missing, spec: 'HMAC_256' }, 'HMAC_SHA_256', message),
      hsm().verifyMac({ ...missing, spec: 'HMAC_256' }, 'HMAC_SHA_256', message, Buffer.alloc(32)),
      hsm().deriveSharedSecret({ ...missing, spec: 'ECC_NIST_P256' }, peer.export({ format: 'der', type: 'spki' })),
    ]
    for (const { code } of await Promise.all(calls.map(refusal))) expect(code).toBe('InvalidState')
  })
}

/** What keys of one usage do. */
type Usage = (hsm: () => Hsm, spec: SupportedKeySpec, key: () => HeldKey) => void

const usages: Readonly<Partial<Record<KeyUsageType, Usage>>> = {
  SIGN_VERIFY(hsm, spec, key) {
    const algorithms = keySpecs[spec].signingAlgorithms.filter(algorithm => algorithm !== 'ED25519_PH_SHA_512')
    it.each(algorithms)('signs a message or its digest with %s, as OpenSSL verifies', async algorithm => {
      const { scheme, hash } = signingAlgorithms[algorithm]
      const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
      const verifier = { key: publicKeyOf(key()), ...(scheme === 'PSS' && pss) }
      const signature = await hsm().sign(key(), algorithm, 'RAW', message)
      expect(verify(hash, message, verifier, signature)).toBe(true)
      if (hash === undefined) return
      const digest = createHash(hash).update(message).digest()
      const signed = await hsm().sign(key(), algorithm, 'DIGEST', digest)
      expect(verify(hash, message, verifier, signed)).toBe(true)
      expect(await hsm().verify(key(), algorithm, 'DIGEST', digest, signature)).toBe(true)
    })

    it.each(algorithms)('verifies with %s its own signature and no other', async algorithm => {
      const signature = await hsm().sign(key(), algorithm, 'RAW', message)
      const flipped = Uint8Array.from(signature)
      flipped[flipped.length - 1]! ^= 1
      const verified = (text: Buffer, given: Uint8Array) => hsm().verify(key(), algorithm, 'RAW', text, given)
      expect(await verified(message, signature)).toBe(true)
      expect(await verified(message.subarray(1), signature)).toBe(false)
      for (const wrong of [
        flipped,
        signature.subarray(1),
        Buffer.concat([signature, Buffer.alloc(1)]),
        Buffer.alloc(1),
      ]) {
        expect(await verified(message, wrong)).toBe(false)
      }
    })
  },

  ENCRYPT_DECRYPT(hsm, spec, key) {
    const algorithms = keySpecs[spec].encryptionAlgorithms.filter(algorithm => algorithm !== 'SYMMETRIC_DEFAULT')
    if (algorithms.length === 0) return
    it.each(algorithms)('decrypts with %s what it or OpenSSL encrypted', async algorithm => {
      const [oaepHash, hashBytes] = algorithm === 'RSAES_OAEP_SHA_1' ? ['sha1', 20] : ['sha256', 32]
      const outside = { key: publicKeyOf(key()), padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: `${oaepHash}` }
      for (const length of [1, 256 - 2 * Number(hashBytes) - 2]) {
        const text = message.subarray(0, length)
        for (const block of [await hsm().encryptRaw(key(), algorithm, text), publicEncrypt(outside, text)]) {
          expect(Buffer.from(await hsm().decryptRaw(key(), algorithm, block))).toEqual(text)
        }
      }
    })

    it.each(algorithms)('refuses an invalid block with %s without a reason, and keeps working', async algorithm => {
      const block = Uint8Array.from(await hsm().encryptRaw(key(), algorithm, message.subarray(0, 9)))
      const flipped = Uint8Array.from(block)
      flipped[100]! ^= 1
      for (const wrong of [flipped, block.subarray(1), Buffer.alloc(256), Buffer.alloc(256, 0xff), Buffer.alloc(0)]) {
        const failure = await refusal(hsm().decryptRaw(key(), algorithm, wrong))
        expect(failure).toMatchObject({ name: 'Failure', code: 'InvalidCiphertext', message: '' })
      }
      expect(Buffer.from(await hsm().decryptRaw(key(), algorithm, block))).toEqual(message.subarray(0, 9))
    })
  },

  GENERATE_VERIFY_MAC(hsm, spec, key) {
    const [algorithm] = keySpecs[spec].macAlgorithms as [Parameters<Hsm['generateMac']>[1]]
    it('generates MACs, and verifies its own only', async () => {
      const mac = await hsm().generateMac(key(), algorithm, message)
      expect(mac.length).toBe(Number(algorithm.slice(-3)) / 8)
      expect(Buffer.from(mac)).not.toEqual(
        createHmac(`sha${algorithm.slice(-3)}`, '')
          .update(message)
          .digest(),
      )
      const verified = (text: Buffer, given: Uint8Array) => hsm().verifyMac(key(), algorithm, text, given)
      expect(await verified(message, mac)).toBe(true)
      expect(await verified(message.subarray(1), mac)).toBe(false)
      for (const wrong of [mac.map(byte => byte ^ 1), mac.subarray(1), Buffer.alloc(0), Buffer.concat([mac, mac])]) {
        expect(await verified(message, wrong)).toBe(false)
      }
    })
  },

  KEY_AGREEMENT(hsm, _spec, key) {
    it('derives the same secret as OpenSSL', async () => {
      const own = publicKeyOf(key())
      const peer = generateKeyPairSync('ec', { namedCurve: own.asymmetricKeyDetails!.namedCurve! })
      const secret = await hsm().deriveSharedSecret(key(), peer.publicKey.export({ format: 'der', type: 'spki' }))
      expect(Buffer.from(secret)).toEqual(diffieHellman({ privateKey: peer.privateKey, publicKey: own }))
    })
  },
}
