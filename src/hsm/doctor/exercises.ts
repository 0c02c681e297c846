/** Exercises for keys of each usage: one operation on the token, and a check of its result by other means. */
import {
  createPrivateKey,
  createPublicKey,
  randomBytes,
  sign as signOutside,
  verify as verifyOutside,
} from 'node:crypto'
import type { EncryptionAlgorithmSpec, KeyUsageType, MacAlgorithmSpec, SigningAlgorithmSpec } from '@aws-sdk/client-kms'
import type { SupportedKeySpec } from '../../model/keys/key-spec.ts'
import { agreeOnce, encryptOaep, oaepHash, verifyMessage } from '../public-key-crypto.ts'
import type { Connection } from '../token/connection.ts'
import type { Cryptoki, Handle, Template } from '../token/cryptoki.ts'
import type { Sealed } from '../token/gcm.ts'
import { generateDataKeyPair } from '../token/key-generation.ts'
import { type KeyMechanism, keyMechanisms, macs } from '../token/mechanisms.ts'
import { subjectPublicKeyInfo } from '../token/public-keys.ts'
import { signing } from '../token/signatures.ts'
import { agree, decryptOaep, encryptOaep as encryptOaepOnToken, mac, open, seal, sign, verify } from '../token/steps.ts'
import { publicKeyTemplate, trialPrivateTemplate, trialTemplate } from '../token/templates.ts'
import type { Gcm } from '../wire/capabilities.ts'

export interface Exercise {
  /** The operation, which is also timed. */
  operate(session: Handle): Promise<Buffer>
  /** Whether the result is right. */
  isRight(session: Handle, answer: Buffer): Promise<boolean>
}

/** A session key. */
export interface TrialKey {
  readonly spec: SupportedKeySpec
  /** The secret or private key. */
  readonly key: Handle
  /** Of a pair. */
  readonly publicKey?: Handle
  /** DER SubjectPublicKeyInfo of a pair. */
  readonly spki?: Buffer
}

const text = Buffer.from('what is encrypted and signed to try it out')
const nothing = Buffer.alloc(0)

/** @param attributes further ones of the secret or private key */
export async function generateTrialKey(
  { cryptoki, session }: Connection,
  spec: SupportedKeySpec,
  usage: KeyUsageType,
  attributes: Template = [],
): Promise<TrialKey> {
  const mechanism = keyMechanisms[spec]!
  const generation = { mechanism: mechanism.generation }
  if (usage === 'GENERATE_VERIFY_MAC' || spec === 'SYMMETRIC_DEFAULT') {
    const template = [...trialTemplate(mechanism, usage), ...attributes]
    return { spec, key: await cryptoki.generateKey(session, generation, template) }
  }
  const { publicKey, privateKey } = await cryptoki.generateKeyPair(
    session,
    generation,
    publicKeyTemplate(mechanism, usage),
    [...trialPrivateTemplate(mechanism, usage), ...attributes],
    true,
  )
  const spki = subjectPublicKeyInfo(mechanism, type => cryptoki.attribute(session, publicKey, type))
  return { spec, key: privateKey, publicKey, spki }
}

export function destroyTrialKey({ cryptoki, session }: Connection, { key, publicKey }: TrialKey): void {
  cryptoki.destroyObject(session, key)
  if (publicKey !== undefined) cryptoki.destroyObject(session, publicKey)
}

/** @param lengths bytes of the plaintext and of the AAD */
export function encryption(cryptoki: Cryptoki, { key }: TrialKey, gcm: Gcm, lengths = { text: 32, aad: 64 }): Exercise {
  const plaintext = Buffer.alloc(lengths.text, 'text')
  const aad = Buffer.alloc(lengths.aad, 'aad')
  let sealed: Sealed
  return {
    async operate(session) {
      sealed = await seal({ cryptoki, session, key }, gcm, plaintext, aad)
      return sealed.ciphertext
    },
    async isRight(session) {
      return (await open({ cryptoki, session, key }, gcm, sealed, aad)).equals(plaintext)
    },
  }
}

/** @param onToken the token removes the padding; otherwise it is removed here */
export function decryption(
  cryptoki: Cryptoki,
  { key, publicKey, spki }: TrialKey,
  algorithm: EncryptionAlgorithmSpec,
  onToken: boolean,
): Exercise {
  const hash = oaepHash(algorithm)
  const ciphertext = encryptOaep(spki!, hash, text)
  const decrypt = async (session: Handle, ciphertext: Buffer) =>
    (await decryptOaep({ cryptoki, session, key }, hash, onToken, ciphertext)) ?? nothing
  return {
    operate: session => decrypt(session, ciphertext),
    async isRight(session, decrypted) {
      if (!decrypted.equals(text)) return false
      if (!onToken) return true
      const sealed = await encryptOaepOnToken({ cryptoki, session, key: publicKey! }, hash, text)
      return (await decrypt(session, sealed)).equals(text)
    },
  }
}

/** The signature is verified on the token and by OpenSSL. */
export function signature(
  cryptoki: Cryptoki,
  { spec, key, publicKey, spki }: TrialKey,
  algorithm: SigningAlgorithmSpec,
): Exercise {
  const asked = signing(spec, algorithm, 'RAW', text)
  return {
    operate: session => sign({ cryptoki, session, key }, asked),
    async isRight(session, made) {
      if (!verifyMessage(spki!, algorithm, text, made)) return false
      return verify({ cryptoki, session, key: publicKey! }, asked, made)
    },
  }
}

/** Checked on the token only, as the key cannot be read: the token verifies the MAC, and another message has another MAC. */
export function authentication(cryptoki: Cryptoki, { key }: TrialKey, algorithm: MacAlgorithmSpec): Exercise {
  const { mechanism, bytes } = macs[algorithm]
  return {
    operate: session => mac({ cryptoki, session, key }, algorithm, text),
    async isRight(session, made) {
      const other = await mac({ cryptoki, session, key }, algorithm, Buffer.from('another text'))
      if (made.length !== bytes || made.equals(other)) return false
      return cryptoki.verify(session, mechanism, key, text, made)
    },
  }
}

/** OpenSSL, on the other side, derives the same secret. */
export function agreement(cryptoki: Cryptoki, { spec, key, spki }: TrialKey): Exercise {
  const { peer, secret } = agreeOnce(spki!)
  return {
    operate: session => agree({ cryptoki, session, key }, spec, peer),
    isRight: async (_session, agreed) => agreed.equals(secret),
  }
}

/** The exported pair works outside the token. */
export function dataKeyPair(cryptoki: Cryptoki, mechanism: KeyMechanism): Exercise {
  let spki: Buffer
  return {
    async operate(session) {
      const { publicKey, privateKey } = await generateDataKeyPair(cryptoki, session, mechanism, 'SIGN_VERIFY')
      spki = publicKey
      return privateKey
    },
    async isRight(_session, pkcs8) {
      // Clears the error queue of OpenSSL, which SoftHSM shares with Node.js: Node.js would take an earlier error of SoftHSM for a private
      // key that cannot be read.
      randomBytes(1)
      const made = signOutside('sha256', text, createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }))
      pkcs8.fill(0)
      return verifyOutside('sha256', text, createPublicKey({ key: spki, format: 'der', type: 'spki' }), made)
    },
  }
}
