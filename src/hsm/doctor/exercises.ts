/** What a key of each usage is tried with: one operation of the token, and whether its outcome is right by another's judgement. */
import {
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  randomBytes,
  sign,
  verify,
} from 'node:crypto'
import type { EncryptionAlgorithmSpec, KeyUsageType, MacAlgorithmSpec, SigningAlgorithmSpec } from '@aws-sdk/client-kms'
import pkcs11js from 'pkcs11js'
import type { SupportedKeySpec } from '../../model/keys/key-spec.ts'
import { gcmIvLengths } from '../profiles/profile.ts'
import { encryptOaep, type OaepHash, oaepHash, verifyMessage } from '../public-key-crypto.ts'
import type { Connection } from '../token/connection.ts'
import type { Cryptoki, Handle, Template } from '../token/cryptoki.ts'
import { type Gcm, opening, sealing } from '../token/gcm.ts'
import { generateDataKeyPair } from '../token/key-generation.ts'
import { ecdh, type KeyMechanism, keyMechanisms, macs, rsaOaep, rsaRaw } from '../token/mechanisms.ts'
import { unpadOaepSha256 } from '../token/oaep.ts'
import { peerPoint, subjectPublicKeyInfo } from '../token/public-keys.ts'
import { signing } from '../token/signatures.ts'
import { publicKeyTemplate, sharedSecretTemplate, trialPrivateTemplate, trialTemplate } from '../token/templates.ts'

export interface Exercise {
  /** The operation, which is also timed. */
  operate(session: Handle): Promise<Buffer>
  /** Whether it answered what it should. */
  isRight(session: Handle, answer: Buffer): Promise<boolean>
}

/** A key of the session. */
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
const longestModulus = 512

/** @param attributes that a secret or private key is to have as well */
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
  let iv: Buffer
  return {
    async operate(session) {
      const drawIv = () => cryptoki.random(session, gcmIvLengths[gcm.iv])
      const { mechanism, outputLength, split } = sealing(gcm, plaintext, aad, drawIv)
      const sealed = split(await cryptoki.encrypt(session, mechanism, key, plaintext, outputLength))
      iv = sealed.iv
      return sealed.ciphertext
    },
    async isRight(session, ciphertext) {
      const { mechanism, input } = opening(gcm, iv, ciphertext, aad)
      return (await cryptoki.decrypt(session, mechanism, key, input)).equals(plaintext)
    },
  }
}

/** @param onToken the token takes the padding away; otherwise that is done here */
export function decryption(
  cryptoki: Cryptoki,
  { key, publicKey, spki }: TrialKey,
  algorithm: EncryptionAlgorithmSpec,
  onToken: boolean,
): Exercise {
  const hash: OaepHash = oaepHash(algorithm)
  const mechanism = onToken ? rsaOaep(hash) : rsaRaw
  const ciphertext = encryptOaep(spki!, hash, text)
  return {
    operate: async session => await cryptoki.decrypt(session, mechanism, key, ciphertext),
    async isRight(session, decrypted) {
      if (!onToken) return unpadOaepSha256(decrypted)?.equals(text) === true
      if (!decrypted.equals(text)) return false
      const sealed = await cryptoki.encrypt(session, mechanism, publicKey!, text, longestModulus)
      return (await cryptoki.decrypt(session, mechanism, key, sealed)).equals(text)
    },
  }
}

/** The signature is verified on the token and by OpenSSL. */
export function signature(
  cryptoki: Cryptoki,
  { spec, key, publicKey, spki }: TrialKey,
  algorithm: SigningAlgorithmSpec,
): Exercise {
  const { mechanism, input, length, toKms } = signing(spec, algorithm, 'RAW', text)
  return {
    operate: async session => await cryptoki.sign(session, mechanism, key, input, length),
    async isRight(session, made) {
      if (!verifyMessage(spki!, algorithm, text, toKms(made))) return false
      return await cryptoki.verify(session, mechanism, publicKey!, input, made)
    },
  }
}

/** The key cannot be read, so nobody else can judge: the token must know its MAC again, and no other. */
export function mac(cryptoki: Cryptoki, { key }: TrialKey, algorithm: MacAlgorithmSpec): Exercise {
  const { mechanism, bytes } = macs[algorithm]
  return {
    operate: async session => await cryptoki.sign(session, mechanism, key, text, bytes),
    async isRight(session, made) {
      const other = await cryptoki.sign(session, mechanism, key, Buffer.from('another text'), bytes)
      if (made.length !== bytes || made.equals(other)) return false
      return await cryptoki.verify(session, mechanism, key, text, made)
    },
  }
}

/** Both sides come to the same secret, the other one by OpenSSL. */
export function agreement(cryptoki: Cryptoki, { spec, key, spki }: TrialKey): Exercise {
  const curve = keyMechanisms[spec]!.curve!
  const own = createPublicKey({ key: spki!, format: 'der', type: 'spki' })
  const peer = generateKeyPairSync('ec', { namedCurve: own.asymmetricKeyDetails!.namedCurve! })
  const point = peerPoint(curve, peer.publicKey.export({ format: 'der', type: 'spki' }))
  return {
    async operate(session) {
      const template = sharedSecretTemplate(curve.coordinate)
      const secret = await cryptoki.deriveKey(session, ecdh(point), key, template)
      try {
        return cryptoki.attribute(session, secret, pkcs11js.CKA_VALUE)
      } finally {
        cryptoki.destroyObject(session, secret)
      }
    },
    async isRight(_session, secret) {
      return secret.equals(diffieHellman({ privateKey: peer.privateKey, publicKey: own }))
    },
  }
}

/** A pair that leaves the token works outside. */
export function dataKeyPair(cryptoki: Cryptoki, mechanism: KeyMechanism): Exercise {
  let spki: Buffer
  return {
    async operate(session) {
      const { publicKey, privateKey } = await generateDataKeyPair(cryptoki, session, mechanism, 'SIGN_VERIFY')
      spki = publicKey
      return privateKey
    },
    async isRight(_session, pkcs8) {
      // Clears the error queue of OpenSSL, which SoftHSM shares with Node.js: the signature that SoftHSM refused last is still there, and
      // Node.js takes it for a private key that cannot be read.
      randomBytes(1)
      const made = sign('sha256', text, createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }))
      pkcs8.fill(0)
      return verify('sha256', text, createPublicKey({ key: spki, format: 'der', type: 'spki' }), made)
    },
  }
}
