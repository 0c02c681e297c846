/** What every implementation of the HSM contract does with key material from outside. OpenSSL and published vectors check its answers. */
import {
  createECDH,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from 'node:crypto'
import type { KeyUsageType } from '@aws-sdk/client-kms'
import { describe, expect, it } from 'vitest'
import type { HeldKey, Hsm } from '../../src/hsm/hsm.ts'
import { keySpecs, type SupportedKeySpec } from '../../src/model/keys/key-spec.ts'
import { bytes, vectors } from '../hsm/vectors.ts'
import { type Exceptions, newMaterial, refusal } from './hsm.ts'

const curves = {
  ECC_NIST_P256: 'prime256v1',
  ECC_NIST_P384: 'secp384r1',
  ECC_NIST_P521: 'secp521r1',
  ECC_SECG_P256K1: 'secp256k1',
} as const

export function pkcs8(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'pkcs8' })
}

/** Key material of a spec, as callers would bring it. */
export function newKeyBytes(spec: SupportedKeySpec): Buffer {
  if (keySpecs[spec].type === 'symmetric') return randomBytes(32)
  if (keySpecs[spec].type === 'HMAC') return randomBytes(Number(spec.slice(-3)) / 8)
  if (spec === 'ECC_NIST_EDWARDS25519') return pkcs8(generateKeyPairSync('ed25519').privateKey)
  if (spec.startsWith('RSA')) {
    return pkcs8(generateKeyPairSync('rsa', { modulusLength: Number(spec.slice(-4)) }).privateKey)
  }
  return pkcs8(generateKeyPairSync('ec', { namedCurve: curves[spec as keyof typeof curves] }).privateKey)
}

/** @param number hex, with or without leading zeros */
function curveKey(spec: keyof typeof curves, number: string): Buffer {
  const own = createECDH(curves[spec])
  own.setPrivateKey(number.replace(/^(00)+/, ''), 'hex')
  const length = { ECC_NIST_P256: 32, ECC_NIST_P384: 48, ECC_NIST_P521: 66, ECC_SECG_P256K1: 32 }[spec]
  const crv = { ECC_NIST_P256: 'P-256', ECC_NIST_P384: 'P-384', ECC_NIST_P521: 'P-521', ECC_SECG_P256K1: '' }[spec]
  const point = own.getPublicKey()
  const text = (part: Buffer) => Buffer.concat([Buffer.alloc(length - part.length), part]).toString('base64url')
  const [x, y] = [text(point.subarray(1, 1 + length)), text(point.subarray(1 + length))]
  return pkcs8(createPrivateKey({ key: { kty: 'EC', crv, x, y, d: text(own.getPrivateKey()) }, format: 'jwk' }))
}

const message = Buffer.alloc(1000, 'a message ')

/** @param hsm the HSM under test, once it is open */
export function importContract(hsm: () => Hsm, exceptions: Exceptions): void {
  const supports = (spec: SupportedKeySpec) => exceptions[spec] === undefined

  async function imported(spec: SupportedKeySpec, usage: KeyUsageType, keyBytes: Buffer): Promise<HeldKey> {
    const object = newMaterial()
    const given = Buffer.from(keyBytes)
    const { custody, publicKey, checkValue } = await hsm().importKey(object, spec, usage, `imported ${spec}`, given)
    expect(given).toEqual(Buffer.alloc(given.length))
    expect(custody).toMatchObject({ sensitive: true, extractable: false, imported: true })
    if (exceptions.local === undefined) expect(custody.local).toBe(false)
    return { object, spec, usage, publicKey, checkValue, imported: true }
  }

  describe.each(
    (
      [
        ['RSA_2048', 'SIGN_VERIFY'],
        ['RSA_2048', 'ENCRYPT_DECRYPT'],
        ['ECC_NIST_P256', 'SIGN_VERIFY'],
        ['ECC_NIST_P384', 'KEY_AGREEMENT'],
        ['ECC_NIST_P521', 'SIGN_VERIFY'],
        ['ECC_SECG_P256K1', 'SIGN_VERIFY'],
        ['ECC_NIST_EDWARDS25519', 'SIGN_VERIFY'],
        ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'],
        ['HMAC_512', 'GENERATE_VERIFY_MAC'],
      ] as const
    ).filter(([spec]) => supports(spec)),
  )('an imported key %s for %s', (spec, usage) => {
    it('is the key, passes inspections as an imported key only, and is destroyed like any other', async () => {
      const keyBytes = newKeyBytes(spec)
      const key = await imported(spec, usage, keyBytes)
      if (keySpecs[spec].type === 'asymmetric') {
        const own = createPrivateKey({ key: keyBytes, format: 'der', type: 'pkcs8' })
        const publicKey = createPublicKey(own).export({ format: 'der', type: 'spki' })
        expect(Buffer.from(key.publicKey!)).toEqual(publicKey)
      }
      for (const depth of ['quick', 'thorough'] as const) expect(await hsm().inspectKey(key, depth)).toEqual({})
      const { fault } = await hsm().inspectKey({ ...key, imported: false }, 'quick')
      expect(fault).toBe('wrong_attributes')
      const other = await imported(spec, usage, newKeyBytes(spec))
      expect(await hsm().inspectKey({ ...key, object: other.object }, 'quick')).toEqual({ fault: 'wrong_key' })
      await hsm().destroyKey(key.object)
      expect(await hsm().inspectKey(key, 'thorough')).toEqual({ fault: 'missing' })
    })
  })

  describe('imported key material', () => {
    it('opens what was published for an AES key', async () => {
      const cases = vectors<'key' | 'iv' | 'aad' | 'msg' | 'ct' | 'tag'>('aes-gcm/wycheproof')
      for (const { key, iv, aad, msg, ct, tag } of cases.filter(({ result }) => result === 'valid').slice(-2)) {
        const { object } = await imported('SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', bytes(key))
        const opened = await hsm().decrypt(object, { iv: bytes(iv), ciphertext: bytes(ct + tag) }, bytes(aad))
        expect(Buffer.from(opened).toString('hex')).toBe(msg)
      }
    })

    it.each([224, 256, 384, 512] as const)('makes the MACs that were published for HMAC_%i', async bits => {
      const cases = vectors<'key' | 'msg' | 'tag'>(`hmac/sha${bits}`)
      const whole = cases.filter(
        ({ key, tag, msg, result }) => result === 'valid' && key.length === bits / 4 && tag.length === bits / 4 && msg,
      )
      expect(whole.length).toBeGreaterThan(0)
      for (const { key, msg, tag } of whole.slice(0, 1)) {
        const own = await imported(`HMAC_${bits}`, 'GENERATE_VERIFY_MAC', bytes(key))
        const mac = await hsm().generateMac(own, `HMAC_SHA_${bits}`, bytes(msg))
        expect(Buffer.from(mac).toString('hex')).toBe(tag)
      }
    })

    it('decrypts what was published for an RSA key, and signs as OpenSSL does', async () => {
      const [first, ...rest] = vectors<'privateKeyPkcs8' | 'msg' | 'ct' | 'label'>('rsa-oaep/sha256')
      const key = bytes(first!.privateKeyPkcs8)
      const decrypting = await imported('RSA_2048', 'ENCRYPT_DECRYPT', key)
      for (const { msg, ct } of rest
        .filter(({ result, label, msg }) => result === 'valid' && !label && msg)
        .slice(0, 3)) {
        const decrypted = await hsm().decryptRaw(decrypting, 'RSAES_OAEP_SHA_256', bytes(ct))
        expect(Buffer.from(decrypted).toString('hex')).toBe(msg)
      }
      const signing = await imported('RSA_2048', 'SIGN_VERIFY', key)
      const signature = await hsm().sign(signing, 'RSASSA_PKCS1_V1_5_SHA_256', 'RAW', message)
      const own = createPrivateKey({ key, format: 'der', type: 'pkcs8' })
      expect(Buffer.from(signature)).toEqual(sign('sha256', message, own))
    })

    it.each(['ECC_NIST_P256', 'ECC_NIST_P384', 'ECC_NIST_P521'] as const)(
      'agrees as was published for %s',
      async spec => {
        const [found] = vectors<'public' | 'private' | 'shared'>(
          `ecdh/${{ ECC_NIST_P256: 'secp256r1', ECC_NIST_P384: 'secp384r1', ECC_NIST_P521: 'secp521r1' }[spec]}`,
        ).filter(({ result, flags }) => result === 'valid' && !flags.includes('CompressedPoint'))
        const key = await imported(spec, 'KEY_AGREEMENT', curveKey(spec, found!.private))
        const secret = await hsm().deriveSharedSecret(key, bytes(found!.public))
        expect(Buffer.from(secret).toString('hex')).toBe(found!.shared)
        const other = generateKeyPairSync('ec', { namedCurve: curves[spec] })
        const publicKey = createPublicKey({ key: Buffer.from(key.publicKey!), format: 'der', type: 'spki' })
        const agreed = await hsm().deriveSharedSecret(key, other.publicKey.export({ format: 'der', type: 'spki' }))
        expect(Buffer.from(agreed)).toEqual(diffieHellman({ privateKey: other.privateKey, publicKey }))
      },
    )

    const ed25519 = 'ECC_NIST_EDWARDS25519'
    it.runIf(supports(ed25519))('signs as was published for Ed25519', async () => {
      const cases = vectors<'secretKey' | 'publicKey' | 'msg' | 'sig'>('ed25519/rfc8032').filter(({ msg }) => msg)
      for (const { secretKey, publicKey, msg, sig } of cases) {
        const der = bytes(`302e020100300506032b657004220420${secretKey}`)
        const key = await imported(ed25519, 'SIGN_VERIFY', der)
        expect(Buffer.from(key.publicKey!).subarray(-32).toString('hex')).toBe(publicKey)
        const signature = await hsm().sign(key, 'ED25519_SHA_512', 'RAW', bytes(msg))
        expect(Buffer.from(signature).toString('hex')).toBe(sig)
      }
    })

    it('signs with an EC key, as OpenSSL verifies', async () => {
      const keyBytes = newKeyBytes('ECC_NIST_P256')
      const key = await imported('ECC_NIST_P256', 'SIGN_VERIFY', keyBytes)
      const signature = await hsm().sign(key, 'ECDSA_SHA_256', 'RAW', message)
      const publicKey = createPublicKey(createPrivateKey({ key: keyBytes, format: 'der', type: 'pkcs8' }))
      expect(verify('sha256', message, publicKey, signature)).toBe(true)
    })

    const wrong: Readonly<Record<string, readonly [SupportedKeySpec, KeyUsageType, () => Buffer]>> = {
      'an AES key of 31 bytes': ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', () => randomBytes(31)],
      'no bytes at all': ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', () => Buffer.alloc(0)],
      'an HMAC key of another spec': ['HMAC_512', 'GENERATE_VERIFY_MAC', () => newKeyBytes('HMAC_256')],
      'a key on another curve': ['ECC_NIST_P256', 'SIGN_VERIFY', () => newKeyBytes('ECC_NIST_P384')],
      'an RSA key of another size': ['RSA_3072', 'SIGN_VERIFY', () => newKeyBytes('RSA_2048')],
      'a key that is cut': ['RSA_2048', 'SIGN_VERIFY', () => newKeyBytes('RSA_2048').subarray(0, -1)],
    }
    it.each(Object.entries(wrong))(
      'is refused if it is %s, and leaves nothing behind',
      async (_, [spec, usage, make]) => {
        const before = await hsm().objects()
        const failure = await refusal(hsm().importKey(newMaterial(), spec, usage, 'wrong', make()))
        expect(failure.code).toBe('IncorrectKeyMaterial')
        expect(failure.message).toMatch(/^The key material is invalid: .+\.$/)
        expect(await hsm().objects()).toEqual(before)
      },
    )
  })
}
