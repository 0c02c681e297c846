/** Proves that an object of the token is the key that was made, without anything secret leaving the token. */
import { timingSafeEqual } from 'node:crypto'
import type { KeyUsageType } from '@aws-sdk/client-kms'
import pkcs11js from 'pkcs11js'
import { keySpecs, type SupportedKeySpec } from '../../model/keys/key-spec.ts'
import type { HeldKey } from '../hsm.ts'
import { gcmIvLengths, gcmTagLength, type Profile } from '../profiles/profile.ts'
import { agreeOnce, encryptOaep, verifyMessage } from '../public-key-crypto.ts'
import { CryptokiError } from '../return-codes.ts'
import { isBadCiphertext } from './bad-input.ts'
import { type Capabilities, gcmOf } from './capabilities.ts'
import type { Cryptoki, Handle } from './cryptoki.ts'
import { opening, sealing } from './gcm.ts'
import { ecdh, keyMechanisms, macs, namedCurve, rsaOaep, rsaRaw } from './mechanisms.ts'
import { unpadOaepSha256 } from './oaep.ts'
import { peerPoint } from './public-keys.ts'
import { signing } from './signatures.ts'
import { sharedSecretTemplate } from './templates.ts'

/** An object, and the session in which it is used. */
export interface ObjectInUse {
  readonly cryptoki: Cryptoki
  readonly session: Handle
  readonly key: Handle
  readonly profile: Profile
  readonly capabilities: Capabilities
}

/** Signed, encrypted and authenticated for nobody else. No AAD of a caller begins like it: those begin as a blob does. */
const text = Buffer.from('strongroom: proof of a key')
/** One byte longer than any message that GenerateMac takes (KMS API Reference), so that no caller can ask for its MAC. */
const macText = Buffer.alloc(4097, text)

/**
 * What only the key of this object can have made: of an AES key the IV, ciphertext and tag of a fixed text, of an HMAC key the
 * MAC of another one. Undefined for pairs, which their public key proves.
 */
export async function checkValueOf(object: ObjectInUse, spec: SupportedKeySpec): Promise<Buffer | undefined> {
  switch (keySpecs[spec].type) {
    case 'symmetric':
      return seal(object)
    case 'HMAC':
      return mac(object, spec)
    case 'asymmetric':
      return undefined
  }
}

/**
 * False for another key, where the token has an answer at all: see isMisfit.
 *
 * @param key a secret key without a check value is taken for what it seems: its record is of an older version
 */
export async function isSameKey(object: ObjectInUse, key: HeldKey): Promise<boolean> {
  const { checkValue } = key
  if (!(await isOfType(object, key.spec))) return false
  switch (keySpecs[key.spec].type) {
    case 'symmetric':
      return checkValue === undefined || (await opens(object, Buffer.from(checkValue)))
    case 'HMAC':
      return checkValue === undefined || same(await mac(object, key.spec), checkValue)
    case 'asymmetric':
      return pairProofs[key.usage]!(object, key.spec, key.publicKey!)
  }
}

/** Some tokens would take a key of another type and make nonsense with it. */
async function isOfType({ cryptoki, session, key }: ObjectInUse, spec: SupportedKeySpec): Promise<boolean> {
  const type = await cryptoki.attribute(session, key, pkcs11js.CKA_KEY_TYPE)
  return type.readUInt32LE() === keyMechanisms[spec]!.keyType
}

async function seal({ cryptoki, session, key, capabilities }: ObjectInUse): Promise<Buffer> {
  const drawIv = () => cryptoki.random(session, gcmIvLengths.caller)
  const { mechanism, outputLength, split } = sealing(gcmOf(capabilities), text, text, drawIv)
  const { iv, ciphertext } = split(await cryptoki.encrypt(session, mechanism, key, text, outputLength))
  return Buffer.concat([iv, ciphertext])
}

async function opens({ cryptoki, session, key, capabilities }: ObjectInUse, checkValue: Buffer): Promise<boolean> {
  const ivLength = checkValue.length - text.length - gcmTagLength
  const [iv, ciphertext] = [checkValue.subarray(0, ivLength), checkValue.subarray(ivLength)]
  const { mechanism, input } = opening(gcmOf(capabilities), iv, ciphertext, text)
  return same(await cryptoki.decrypt(session, mechanism, key, input), text)
}

async function mac({ cryptoki, session, key }: ObjectInUse, spec: SupportedKeySpec): Promise<Buffer> {
  const { mechanism, bytes } = macs[keySpecs[spec].macAlgorithms[0] as keyof typeof macs]
  return cryptoki.sign(session, mechanism, key, macText, bytes)
}

type PairProof = (object: ObjectInUse, spec: SupportedKeySpec, publicKey: Uint8Array) => Promise<boolean>

const pairProofs: Readonly<Partial<Record<KeyUsageType, PairProof>>> = {
  async SIGN_VERIFY({ cryptoki, session, key }, spec, publicKey) {
    const algorithm = keySpecs[spec].signingAlgorithms[0]!
    const { mechanism, input, length, toKms } = signing(spec, algorithm, 'RAW', text)
    const signature = toKms(await cryptoki.sign(session, mechanism, key, input, length))
    return verifyMessage(publicKey, algorithm, text, signature)
  },
  async ENCRYPT_DECRYPT({ cryptoki, session, key, profile }, _spec, publicKey) {
    const [hash = 'sha256'] = profile.oaepHashes
    const ciphertext = encryptOaep(publicKey, hash, text)
    if (profile.oaepHashes.length > 0)
      return same(await cryptoki.decrypt(session, rsaOaep(hash), key, ciphertext), text)
    const unpadded = unpadOaepSha256(await cryptoki.decrypt(session, rsaRaw, key, ciphertext))
    return unpadded !== undefined && same(unpadded, text)
  },
  async KEY_AGREEMENT({ cryptoki, session, key }, spec, publicKey) {
    const curve = keyMechanisms[spec]!.curve!
    // Asked for a point on another curve, SoftHSM fails in a way that says nothing.
    const parameters = await cryptoki.attribute(session, key, pkcs11js.CKA_EC_PARAMS)
    if (!same(parameters, namedCurve(curve.oid))) return false
    const { peer, secret: outside } = agreeOnce(publicKey)
    const template = sharedSecretTemplate(curve.coordinate)
    const secret = await cryptoki.deriveKey(session, ecdh(peerPoint(curve, peer)), key, template)
    try {
      return same(await cryptoki.attribute(session, secret, pkcs11js.CKA_VALUE), outside)
    } finally {
      await cryptoki.destroyObject(session, secret)
    }
  },
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && timingSafeEqual(one, other)
}

/** PKCS#11 v2.40, section 5.1.6: what a key answers that is not made for this use, or larger than the one that is. */
const misfits: ReadonlySet<string> = new Set([
  'CKR_BUFFER_TOO_SMALL',
  'CKR_DATA_LEN_RANGE',
  'CKR_KEY_FUNCTION_NOT_PERMITTED',
  'CKR_KEY_SIZE_RANGE',
  'CKR_KEY_TYPE_INCONSISTENT',
])

/** Whether isSameKey failed because it is another key; any other failure says nothing about the key. */
export function isMisfit(error: unknown, profile: Profile): boolean {
  return isBadCiphertext(error, profile) || (error instanceof CryptokiError && misfits.has(error.returnCode))
}
