/** Generates keys on the token and verifies their attributes. */
import type { KeyUsageType } from '@aws-sdk/client-kms'
import pkcs11js from 'pkcs11js'
import type { Custody } from '../../model/keys/key.ts'
import { keySpecs, type SupportedKeySpec } from '../../model/keys/key-spec.ts'
import type { Profile } from '../profiles/profile.ts'
import type { Capabilities } from '../wire/capabilities.ts'
import type { Cryptoki, Handle } from './cryptoki.ts'
import { custodyFaults } from './custody.ts'
import { isPair, type KeyMechanism } from './mechanisms.ts'
import { privateKeyInfo } from './private-keys.ts'
import { checkValueOf } from './proof.ts'
import { subjectPublicKeyInfo } from './public-keys.ts'
import {
  dataKeyTemplate,
  type Keeping,
  keptCopyTemplate,
  type ObjectUsage,
  privateKeyTemplate,
  publicKeyTemplate,
  secretKeyTemplate,
} from './templates.ts'

export interface GeneratedObject {
  readonly key: Handle
  readonly custody: Custody
  /** DER SubjectPublicKeyInfo of a pair. */
  readonly publicKey?: Buffer
  /** See proof.ts. */
  readonly checkValue?: Buffer | undefined
}

export interface Generation {
  readonly cryptoki: Cryptoki
  readonly session: Handle
  readonly capabilities: Capabilities
  readonly spec: SupportedKeySpec
  readonly mechanism: KeyMechanism
  readonly usage: ObjectUsage
  readonly keeping: Keeping
}

/** A key whose attributes are not as requested is destroyed, and the call fails. */
export async function generateObject(generation: Generation): Promise<GeneratedObject> {
  const { cryptoki, session, capabilities, spec, keeping } = generation
  const made = await generate(generation)
  try {
    const custody = cryptoki.together(() => readCustody(cryptoki, session, made.key, keeping.profile))
    const faults = custodyFaults(custody, keeping)
    if (faults.length > 0) throw new Error(`the HSM generated a key with unexpected attributes: ${faults.join(', ')}`)
    const object = { cryptoki, session, key: made.key, profile: keeping.profile, capabilities }
    return { ...made, custody, checkValue: await checkValueOf(object, spec) }
  } catch (error) {
    cryptoki.destroyObject(session, made.key)
    throw error
  }
}

async function generate(generation: Generation): Promise<Omit<GeneratedObject, 'custody' | 'checkValue'>> {
  const { cryptoki, session, spec, mechanism, usage, keeping } = generation
  if (!isPair(mechanism)) {
    const template = secretKeyTemplate(mechanism, usage, keeping)
    return { key: cryptoki.generateKey(session, { mechanism: mechanism.generation }, template) }
  }
  if (!keeping.profile.generatesRsaKeysInSession || !keySpecs[spec].isSlowToGenerate) {
    return keyPair(generation, keeping)
  }
  const { key: original, publicKey } = await keyPair(generation, { ...keeping, session: true })
  try {
    return { key: cryptoki.copyObject(session, original, keptCopyTemplate(keeping)), publicKey }
  } finally {
    cryptoki.destroyObject(session, original)
  }
}

export function readCustody(
  cryptoki: Cryptoki,
  session: Handle,
  key: Handle,
  { reportsCkaLocal }: Pick<Profile, 'reportsCkaLocal'>,
): Custody {
  const read = (type: number) => cryptoki.flag(session, key, type)
  const extractable = read(pkcs11js.CKA_EXTRACTABLE)
  return {
    sensitive: read(pkcs11js.CKA_SENSITIVE),
    extractable,
    alwaysSensitive: read(pkcs11js.CKA_ALWAYS_SENSITIVE),
    neverExtractable: read(pkcs11js.CKA_NEVER_EXTRACTABLE),
    ...(reportsCkaLocal && { local: read(pkcs11js.CKA_LOCAL) }),
    ...(extractable && { wrapWithTrusted: read(pkcs11js.CKA_WRAP_WITH_TRUSTED) }),
  }
}

/** DER SubjectPublicKeyInfo, and DER PrivateKeyInfo in plaintext, which the caller wipes. */
export interface DataKeyPair {
  readonly publicKey: Buffer
  readonly privateKey: Buffer
}

/** Generated as session objects, read, and destroyed. */
export async function generateDataKeyPair(
  cryptoki: Cryptoki,
  session: Handle,
  mechanism: KeyMechanism,
  usage: KeyUsageType,
): Promise<DataKeyPair> {
  const { publicKey, privateKey } = await cryptoki.generateKeyPair(
    session,
    { mechanism: mechanism.generation },
    publicKeyTemplate(mechanism, usage),
    dataKeyTemplate(mechanism, usage),
    true,
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

async function keyPair(
  { cryptoki, session, spec, mechanism, usage }: Generation,
  keeping: Keeping,
): Promise<{ readonly key: Handle; readonly publicKey: Buffer }> {
  const made = await cryptoki.generateKeyPair(
    session,
    { mechanism: mechanism.generation },
    publicKeyTemplate(mechanism, usage),
    privateKeyTemplate(mechanism, usage, keeping),
    keySpecs[spec].isSlowToGenerate,
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
