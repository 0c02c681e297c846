/** How key material from outside comes onto the token, tried with session objects. */
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import type { KeyUsageType } from '@aws-sdk/client-kms'
import type { SupportedKeySpec } from '../../model/keys/key-spec.ts'
import type { WrappingAlgorithm } from '../../model/keys/wrapping-algorithm.ts'
import { profileOf } from '../profiles/find-profile.ts'
import { type KeyType, keyTypes, type Profile } from '../profiles/profile.ts'
import { encryptOaep } from '../public-key-crypto.ts'
import type { Connection } from '../token/connection.ts'
import type { Cryptoki, Handle } from '../token/cryptoki.ts'
import { type Import, KeyImporter } from '../token/key-import.ts'
import { readKeyMaterial } from '../token/key-material.ts'
import { KeyUnwrapper } from '../token/key-unwrapping.ts'
import { wrapWithPadding } from '../token/key-wrap.ts'
import { keyMechanisms } from '../token/mechanisms.ts'
import { attempt } from '../token/probe.ts'
import { subjectPublicKeyInfo } from '../token/public-keys.ts'
import { publicKeyTemplate, trialPrivateTemplate } from '../token/templates.ts'
import type { Capabilities } from '../wire/capabilities.ts'
import { type ImportTrial, type WrappingFamily, wrappingFamilies } from './findings.ts'

const kinds: readonly (readonly [KeyType, SupportedKeySpec, KeyUsageType, () => Buffer])[] = [
  ['secret', 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', () => randomBytes(32)],
  ['secret', 'HMAC_256', 'GENERATE_VERIFY_MAC', () => randomBytes(32)],
  ['RSA', 'RSA_2048', 'SIGN_VERIFY', () => pkcs8(generateKeyPairSync('rsa', { modulusLength: 2048 }))],
  ['EC', 'ECC_NIST_P256', 'SIGN_VERIFY', () => pkcs8(generateKeyPairSync('ec', { namedCurve: 'P-256' }))],
  ['Ed25519', 'ECC_NIST_EDWARDS25519', 'SIGN_VERIFY', () => pkcs8(generateKeyPairSync('ed25519'))],
]

function pkcs8({ privateKey }: { readonly privateKey: KeyObject }): Buffer {
  return privateKey.export({ format: 'der', type: 'pkcs8' })
}

/** A key of each type that the token supports, whatever the profile says of how. @param oaepHashes that the token supports */
export async function importTrials(
  { cryptoki, slot, session }: Connection,
  profile: Profile,
  capabilities: Capabilities,
  oaepHashes: Profile['oaepHashes'],
): Promise<readonly ImportTrial[]> {
  const { keyWrapMechanisms } = profileOf('generic')
  const everything = {
    ...profile,
    oaepHashes,
    importMethods: ['ECDH', 'RSA-OAEP'],
    keyWrapMechanisms: [...new Set([...profile.keyWrapMechanisms, ...keyWrapMechanisms])],
    oaepUnwraps: keyTypes,
    keyWrapUnwraps: keyTypes,
  } as const
  const access = { cryptoki, slot, profile: everything, capabilities }
  const importer = new KeyImporter(cryptoki, slot, everything, capabilities)
  const unwrapper = new KeyUnwrapper({ ...access, importer, bridges: false })
  const wrapping = await wrappingPair(cryptoki, session, everything)
  const trials: ImportTrial[] = []
  for (const [type, spec, usage, make] of kinds) {
    if (capabilities.lacks[spec] !== undefined) continue
    const mechanism = keyMechanisms[spec]!
    const keeping = { id: randomBytes(32), label: 'trial', profile, session: true }
    const bytes = make()
    const material = readKeyMaterial(spec, mechanism, Buffer.from(bytes))
    const wanted = { spec, mechanism, usage, keeping, material }
    const { value, refusal } = await attempt(profile, () => importer.import(wanted, async () => {}))
    const unwraps: WrappingFamily[] = []
    for (const family of wrapping === undefined ? [] : wrappingFamilies) {
      const works = await attempt(profile, () => unwrapTrial(unwrapper, wrapping!, family, wanted, bytes, oaepHashes))
      if (works.value) unwraps.push(family)
    }
    const isTried = wrapping !== undefined || oaepHashes.length === 0
    trials.push({ type, spec, ...(isTried && { unwraps }), ...(refusal === undefined && { way: value.way }) })
  }
  if (wrapping !== undefined) cryptoki.destroyObject(session, wrapping.key)
  return trials
}

interface WrappingPair {
  readonly key: Handle
  /** DER SubjectPublicKeyInfo. */
  readonly publicKey: Buffer
}

/** Undefined if the token supports no RSAES-OAEP, or no such keys. */
async function wrappingPair(cryptoki: Cryptoki, session: Handle, profile: Profile): Promise<WrappingPair | undefined> {
  if (profile.oaepHashes.length === 0) return undefined
  const pair = keyMechanisms.RSA_2048!
  const { value } = await attempt(profile, async () => {
    const { publicKey, privateKey } = await cryptoki.generateKeyPair(
      session,
      { mechanism: pair.generation },
      publicKeyTemplate(pair, 'UNWRAP'),
      trialPrivateTemplate(pair, 'UNWRAP'),
      true,
    )
    const info = subjectPublicKeyInfo(pair, type => cryptoki.attribute(session, publicKey, type))
    cryptoki.destroyObject(session, publicKey)
    return { key: privateKey, publicKey: info }
  })
  return value
}

/** Whether it is the same key. */
async function unwrapTrial(
  unwrapper: KeyUnwrapper,
  { key, publicKey }: WrappingPair,
  family: WrappingFamily,
  { material, ...wanted }: Import,
  bytes: Buffer,
  [hash]: Profile['oaepHashes'],
): Promise<boolean> {
  const algorithm: WrappingAlgorithm = `${family}_${hash === 'sha1' ? 'SHA_1' : 'SHA_256'}`
  const encryptionKey = randomBytes(32)
  const block = encryptOaep(publicKey, hash!, family === 'RSAES_OAEP' ? bytes : encryptionKey)
  const rest = family === 'RSAES_OAEP' ? [] : [wrapWithPadding(encryptionKey, bytes)]
  const wrapped = { wrappingSpec: 'RSA_2048', algorithm, bytes: Buffer.concat([block, ...rest]) } as const
  const unwrapped = await unwrapper.unwrap(key, { ...wanted, wrapped }, async () => {})
  return material.publicKey === undefined || material.publicKey.equals(unwrapped.publicKey!)
}
