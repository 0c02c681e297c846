/** The cryptographic steps on PKCS#11, used by the calls of the gateway, the proof of a key, the probe and doctor. */
import type { MacAlgorithmSpec } from '@aws-sdk/client-kms'
import pkcs11js from 'pkcs11js'
import type { SupportedKeySpec } from '../../model/keys/key-spec.ts'
import { gcmIvLengths } from '../profiles/profile.ts'
import type { OaepHash } from '../public-key-crypto.ts'
import type { Gcm } from '../wire/capabilities.ts'
import type { Cryptoki, Handle } from './cryptoki.ts'
import { opening, type Sealed, sealing } from './gcm.ts'
import { ecdh, keyMechanisms, macs, rsaOaep, rsaRaw } from './mechanisms.ts'
import { unpadOaep } from './oaep.ts'
import { peerPoint } from './public-keys.ts'
import type { Signing } from './signatures.ts'
import { sharedSecretTemplate } from './templates.ts'

/** A key object, and the session in which it is used. */
export interface KeyInUse {
  readonly cryptoki: Cryptoki
  readonly session: Handle
  readonly key: Handle
}

const longestModulus = 512

export interface SealOptions {
  /** Returns a fresh IV, if the caller generates it; by default from C_GenerateRandom. */
  readonly drawIv?: () => Buffer
  /** Bytes for the output, if it may be longer than that of this form. */
  readonly room?: number
}

/** AES-256-GCM. Rejects with FormChanged if the output is not of this form. */
export async function seal(
  { cryptoki, session, key }: KeyInUse,
  gcm: Gcm,
  plaintext: Buffer,
  aad: Buffer,
  { drawIv = () => cryptoki.random(session, gcmIvLengths[gcm.iv]), room }: SealOptions = {},
): Promise<Sealed> {
  const { mechanism, outputLength, split } = sealing(gcm, plaintext, aad, drawIv)
  return split(await cryptoki.encrypt(session, mechanism, key, plaintext, room ?? outputLength))
}

export function open(
  { cryptoki, session, key }: KeyInUse,
  gcm: Gcm,
  { iv, ciphertext }: Sealed,
  aad: Buffer,
): Promise<Buffer> {
  const { mechanism, input } = opening(gcm, iv, ciphertext, aad)
  return cryptoki.decrypt(session, mechanism, key, input)
}

/** RSAES-OAEP on the token. */
export function encryptOaep({ cryptoki, session, key }: KeyInUse, hash: OaepHash, plaintext: Buffer): Promise<Buffer> {
  return cryptoki.encrypt(session, rsaOaep(hash), key, plaintext, longestModulus)
}

/**
 * RSAES-OAEP. Undefined if the padding is removed here and is invalid.
 *
 * @param onToken the token removes the padding; otherwise it is removed here
 */
export async function decryptOaep(
  { cryptoki, session, key }: KeyInUse,
  hash: OaepHash,
  onToken: boolean,
  ciphertext: Buffer,
): Promise<Buffer | undefined> {
  if (onToken) return cryptoki.decrypt(session, rsaOaep(hash), key, ciphertext)
  return unpadOaep(hash, await cryptoki.decrypt(session, rsaRaw, key, ciphertext))
}

/** In the form of KMS. */
export async function sign(
  { cryptoki, session, key }: KeyInUse,
  { mechanism, input, length, toKms }: Signing,
): Promise<Buffer> {
  return toKms(await cryptoki.sign(session, mechanism, key, input, length))
}

/** @param key the public one. @param signature in the form of KMS */
export async function verify(
  { cryptoki, session, key }: KeyInUse,
  { mechanism, input, toToken }: Signing,
  signature: Buffer,
): Promise<boolean> {
  const converted = toToken(signature)
  return converted !== undefined && cryptoki.verify(session, mechanism, key, input, converted)
}

export function mac(
  { cryptoki, session, key }: KeyInUse,
  algorithm: MacAlgorithmSpec,
  message: Buffer,
): Promise<Buffer> {
  const { mechanism, bytes } = macs[algorithm]
  return cryptoki.sign(session, mechanism, key, message, bytes)
}

/** ECDH: the raw x-coordinate. @param peer DER SubjectPublicKeyInfo of a point on the key's curve */
export async function agree(
  { cryptoki, session, key }: KeyInUse,
  spec: SupportedKeySpec,
  peer: Buffer,
): Promise<Buffer> {
  const curve = keyMechanisms[spec]!.curve!
  const template = sharedSecretTemplate(curve.coordinate)
  const secret = await cryptoki.deriveKey(session, ecdh(peerPoint(curve, peer)), key, template)
  try {
    return cryptoki.attribute(session, secret, pkcs11js.CKA_VALUE)
  } finally {
    cryptoki.destroyObject(session, secret)
  }
}
