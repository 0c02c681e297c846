/** Makes keys on the token, and proves that what was made is what was asked. */
import type { KeyUsageType } from '@aws-sdk/client-kms'
import pkcs11js from 'pkcs11js'
import type { Custody } from '../model/key.ts'
import type { SupportedKeySpec } from '../model/key-spec.ts'
import type { Cryptoki, Handle } from './cryptoki.ts'
import { custodyFaults } from './custody.ts'
import type { KeyMechanism } from './mechanisms.ts'
import { privateKeyInfo } from './private-keys.ts'
import { checkValueOf } from './proof.ts'
import { subjectPublicKeyInfo } from './public-keys.ts'
import { dataKeyTemplate, type Keeping, privateKeyTemplate, publicKeyTemplate, secretKeyTemplate } from './templates.ts'

export interface GeneratedObject {
  readonly key: Handle
  readonly custody: Custody
  /** DER SubjectPublicKeyInfo of a pair. */
  readonly publicKey?: Buffer
  /** See proof.ts. */
  readonly checkValue?: Buffer | undefined
}

/** A key that is not what was asked is destroyed, and the call fails. */
export async function generateObject(
  cryptoki: Cryptoki,
  session: Handle,
  spec: SupportedKeySpec,
  mechanism: KeyMechanism,
  usage: KeyUsageType,
  keeping: Keeping,
): Promise<GeneratedObject> {
  const made = isPair(mechanism)
    ? keyPair(cryptoki, session, mechanism, usage, keeping)
    : { key: secretKey(cryptoki, session, mechanism, usage, keeping) }
  try {
    const custody = readCustody(cryptoki, session, made.key)
    const faults = custodyFaults(custody)
    if (faults.length > 0) throw new Error(`The HSM made a key that is not what was asked: ${faults.join(', ')}.`)
    const checkValue = await checkValueOf({ cryptoki, session, key: made.key, profile: keeping.profile }, spec)
    return { ...made, custody, checkValue }
  } catch (error) {
    cryptoki.destroyObject(session, made.key)
    throw error
  }
}

export function readCustody(cryptoki: Cryptoki, session: Handle, key: Handle): Custody {
  const read = (type: number) => cryptoki.attribute(session, key, type)[0] === 1
  return {
    sensitive: read(pkcs11js.CKA_SENSITIVE),
    extractable: read(pkcs11js.CKA_EXTRACTABLE),
    alwaysSensitive: read(pkcs11js.CKA_ALWAYS_SENSITIVE),
    neverExtractable: read(pkcs11js.CKA_NEVER_EXTRACTABLE),
    local: read(pkcs11js.CKA_LOCAL),
  }
}

/** DER SubjectPublicKeyInfo, and DER PrivateKeyInfo in plaintext: whoever asks for it wipes it. */
export interface DataKeyPair {
  readonly publicKey: Buffer
  readonly privateKey: Buffer
}

/** Two session objects, read and destroyed. */
export function generateDataKeyPair(cryptoki: Cryptoki, session: Handle, mechanism: KeyMechanism): DataKeyPair {
  const usage = 'SIGN_VERIFY'
  const { publicKey, privateKey } = cryptoki.generateKeyPair(
    session,
    { mechanism: mechanism.generation },
    publicKeyTemplate(mechanism, usage),
    dataKeyTemplate(mechanism, usage),
  )
  try {
    return {
      publicKey: subjectPublicKeyInfo(mechanism, type => cryptoki.attribute(session, publicKey, type)),
      privateKey: privateKeyInfo(mechanism, type => cryptoki.attribute(session, privateKey, type)),
    }
  } finally {
    cryptoki.destroyObject(session, publicKey)
    cryptoki.destroyObject(session, privateKey)
  }
}

function isPair({ keyType }: KeyMechanism): boolean {
  return keyType !== pkcs11js.CKK_AES && keyType !== pkcs11js.CKK_GENERIC_SECRET
}

function secretKey(
  cryptoki: Cryptoki,
  session: Handle,
  mechanism: KeyMechanism,
  usage: KeyUsageType,
  keeping: Keeping,
): Handle {
  const template = secretKeyTemplate(mechanism, usage, keeping)
  return cryptoki.generateKey(session, { mechanism: mechanism.generation }, template)
}

function keyPair(
  cryptoki: Cryptoki,
  session: Handle,
  mechanism: KeyMechanism,
  usage: KeyUsageType,
  keeping: Keeping,
): { readonly key: Handle; readonly publicKey: Buffer } {
  const made = cryptoki.generateKeyPair(
    session,
    { mechanism: mechanism.generation },
    publicKeyTemplate(mechanism, usage),
    privateKeyTemplate(mechanism, usage, keeping),
  )
  try {
    const publicKey = subjectPublicKeyInfo(mechanism, type => cryptoki.attribute(session, made.publicKey, type))
    return { key: made.privateKey, publicKey }
  } catch (error) {
    cryptoki.destroyObject(session, made.privateKey)
    throw error
  } finally {
    cryptoki.destroyObject(session, made.publicKey)
  }
}
