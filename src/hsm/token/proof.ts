/** Proves that an object of the token is the expected key, without any key material leaving the token. */
import { createDecipheriv, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import pkcs11js from 'pkcs11js'
import { keySpecs, type SupportedKeySpec } from '../../model/keys/key-spec.ts'
import type { HeldKey } from '../hsm.ts'
import { gcmTagLength, type Profile } from '../profiles/profile.ts'
import { agreeOnce, encryptOaep, verifyMessage } from '../public-key-crypto.ts'
import { CryptokiError } from '../return-codes.ts'
import type { Capabilities } from '../wire/capabilities.ts'
import { isBadCiphertext, isBadWrappedKey } from './bad-input.ts'
import { gcmOf } from './capabilities.ts'
import type { KeyMaterial } from './key-material.ts'
import { keyMechanisms, namedCurve, rsaOaep } from './mechanisms.ts'
import { signing } from './signatures.ts'
import { agree, decryptOaep, type KeyInUse, mac, open, seal, sign } from './steps.ts'
import { unwrappedTrialTemplate } from './templates.ts'

/** An object, and what is known of its token. */
export interface ObjectInUse extends KeyInUse {
  readonly profile: Profile
  readonly capabilities: Capabilities
}

/** For proofs only. No AAD of a caller begins like it: they begin with the header of a ciphertext. */
const text = Buffer.from('strongroom: proof of a key')
/** One byte longer than GenerateMac accepts (KMS API Reference), so no caller can obtain its MAC. */
const macText = Buffer.alloc(4097, text)

/**
 * A value that only this key can make: for an AES key the IV, ciphertext and tag of a fixed text, for an HMAC key the MAC of another
 * one. Undefined for key pairs, which are proved by their public key.
 */
export async function checkValueOf(object: ObjectInUse, spec: SupportedKeySpec): Promise<Buffer | undefined> {
  switch (keySpecs[spec].type) {
    case 'symmetric':
      return sealText(object)
    case 'HMAC':
      return macOfText(object, spec)
    case 'asymmetric':
      return undefined
  }
}

/**
 * False for another key. The token may also reject the operation: see isMisfit.
 *
 * @param key a secret key without a check value, from an older version, passes
 */
export async function isSameKey(object: ObjectInUse, key: HeldKey): Promise<boolean> {
  const { checkValue } = key
  if (!(await isOfType(object, key.spec))) return false
  switch (keySpecs[key.spec].type) {
    case 'symmetric':
      return checkValue === undefined || (await opensText(object, Buffer.from(checkValue)))
    case 'HMAC':
      return checkValue === undefined || same(await macOfText(object, key.spec), checkValue)
    case 'asymmetric':
      return pairProofs[key.usage]!(object, key.spec, key.publicKey!)
  }
}

export interface KnownKey extends Pick<HeldKey, 'spec' | 'usage'> {
  /** Made by the object. */
  readonly checkValue: Buffer | undefined
  readonly material: KeyMaterial
}

/** Whether the object is the key whose material is known here. */
export async function isKeyOf(object: ObjectInUse, { material, checkValue, ...key }: KnownKey): Promise<boolean> {
  const { wrapped: value, publicKey } = material
  if (publicKey !== undefined) return isSameKey(object, { object: '', publicKey, ...key })
  if (keySpecs[key.spec].type === 'HMAC') return same(hmac(key.spec, value), checkValue!)
  const [iv, rest] = [
    checkValue!.subarray(0, -text.length - gcmTagLength),
    checkValue!.subarray(-text.length - gcmTagLength),
  ]
  return isSealedWith(value, iv, rest)
}

function hmac(spec: SupportedKeySpec, value: Buffer): Buffer {
  const bits = keySpecs[spec].macAlgorithms[0]!.slice(-3)
  return createHmac(`sha${bits}`, value).update(macText).digest()
}

function isSealedWith(value: Buffer, iv: Buffer, ciphertext: Buffer): boolean {
  const decipher = createDecipheriv('aes-256-gcm', value, iv, { authTagLength: gcmTagLength }).setAAD(text)
  decipher.setAuthTag(ciphertext.subarray(-gcmTagLength))
  try {
    return same(Buffer.concat([decipher.update(ciphertext.subarray(0, -gcmTagLength)), decipher.final()]), text)
  } catch {
    return false
  }
}

/** Some tokens accept a key of another type and return nonsense. */
async function isOfType({ cryptoki, session, key }: ObjectInUse, spec: SupportedKeySpec): Promise<boolean> {
  const type = await cryptoki.attribute(session, key, pkcs11js.CKA_KEY_TYPE)
  return type.readUInt32LE() === keyMechanisms[spec]!.keyType
}

async function sealText(object: ObjectInUse): Promise<Buffer> {
  const { iv, ciphertext } = await seal(object, gcmOf(object.capabilities), text, text)
  return Buffer.concat([iv, ciphertext])
}

async function opensText(object: ObjectInUse, checkValue: Buffer): Promise<boolean> {
  const ivLength = checkValue.length - text.length - gcmTagLength
  const sealed = { iv: checkValue.subarray(0, ivLength), ciphertext: checkValue.subarray(ivLength) }
  return same(await open(object, gcmOf(object.capabilities), sealed, text), text)
}

function macOfText(object: ObjectInUse, spec: SupportedKeySpec): Promise<Buffer> {
  return mac(object, keySpecs[spec].macAlgorithms[0]!, macText)
}

type PairProof = (object: ObjectInUse, spec: SupportedKeySpec, publicKey: Uint8Array) => Promise<boolean>

const pairProofs: Readonly<Partial<Record<HeldKey['usage'], PairProof>>> = {
  async SIGN_VERIFY(object, spec, publicKey) {
    const algorithm = keySpecs[spec].signingAlgorithms[0]!
    const signature = await sign(object, signing(spec, algorithm, 'RAW', text))
    return verifyMessage(publicKey, algorithm, text, signature)
  },
  async ENCRYPT_DECRYPT(object, _spec, publicKey) {
    const { oaepHashes } = object.profile
    const [hash = 'sha256'] = oaepHashes
    const decrypted = await decryptOaep(object, hash, oaepHashes.length > 0, encryptOaep(publicKey, hash, text))
    return decrypted !== undefined && same(decrypted, text)
  },
  async KEY_AGREEMENT(object, spec, publicKey) {
    const { cryptoki, session, key } = object
    // For a point on another curve SoftHSM answers with an ambiguous code.
    const parameters = cryptoki.attribute(session, key, pkcs11js.CKA_EC_PARAMS)
    if (!same(parameters, namedCurve(keyMechanisms[spec]!.curve!.oid))) return false
    const { peer, secret } = agreeOnce(publicKey)
    return same(await agree(object, spec, peer), secret)
  },
  /** It unwraps an AES key that was made here, and the token encrypts with that. */
  async UNWRAP(object, _spec, publicKey) {
    const { cryptoki, session, key, profile, capabilities } = object
    const [hash = 'sha1'] = profile.oaepHashes
    const value = randomBytes(32)
    const wrapped = encryptOaep(publicKey, hash, value)
    const unwrapped = await cryptoki
      .unwrapKey(session, rsaOaep(hash), key, wrapped, unwrappedTrialTemplate)
      .catch(error => {
        if (isBadWrappedKey(error, profile)) return undefined
        throw error
      })
    if (unwrapped === undefined) return false
    try {
      const { iv, ciphertext } = await seal({ ...object, key: unwrapped }, gcmOf(capabilities), text, text)
      return isSealedWith(value, iv, ciphertext)
    } finally {
      value.fill(0)
      cryptoki.destroyObject(session, unwrapped)
    }
  },
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && timingSafeEqual(one, other)
}

/** Return codes of a key for another use, or of another size: PKCS#11 v2.40, section 5.1.6. */
const misfits: ReadonlySet<string> = new Set([
  'CKR_BUFFER_TOO_SMALL',
  'CKR_DATA_LEN_RANGE',
  'CKR_KEY_FUNCTION_NOT_PERMITTED',
  'CKR_KEY_SIZE_RANGE',
  'CKR_KEY_TYPE_INCONSISTENT',
])

/** Whether an error of isSameKey means that it is another key. */
export function isMisfit(error: unknown, profile: Profile): boolean {
  return isBadCiphertext(error, profile) || (error instanceof CryptokiError && misfits.has(error.returnCode))
}
