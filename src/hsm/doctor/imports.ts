/** How key material from outside comes onto the token, tried with session objects. */
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import type { KeyUsageType } from '@aws-sdk/client-kms'
import type { SupportedKeySpec } from '../../model/keys/key-spec.ts'
import { profileOf } from '../profiles/find-profile.ts'
import type { Profile } from '../profiles/profile.ts'
import type { Connection } from '../token/connection.ts'
import { KeyImporter } from '../token/key-import.ts'
import { readKeyMaterial } from '../token/key-material.ts'
import { keyMechanisms } from '../token/mechanisms.ts'
import { attempt } from '../token/probe.ts'
import type { Capabilities } from '../wire/capabilities.ts'
import type { ImportTrial } from './findings.ts'

const kinds: readonly (readonly [SupportedKeySpec, KeyUsageType, () => Buffer])[] = [
  ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', () => randomBytes(32)],
  ['HMAC_256', 'GENERATE_VERIFY_MAC', () => randomBytes(32)],
  ['RSA_2048', 'SIGN_VERIFY', () => pkcs8(generateKeyPairSync('rsa', { modulusLength: 2048 }))],
  ['ECC_NIST_P256', 'SIGN_VERIFY', () => pkcs8(generateKeyPairSync('ec', { namedCurve: 'P-256' }))],
]

function pkcs8({ privateKey }: { readonly privateKey: KeyObject }): Buffer {
  return privateKey.export({ format: 'der', type: 'pkcs8' })
}

/** A key of each type that the token supports, whatever the profile says of how. */
export async function importTrials(
  { cryptoki, slot }: Connection,
  profile: Profile,
  capabilities: Capabilities,
): Promise<readonly ImportTrial[]> {
  const { keyWrapMechanisms } = profileOf('generic')
  const everything = {
    ...profile,
    importMethods: ['ECDH', 'RSA-OAEP'],
    keyWrapMechanisms: [...new Set([...profile.keyWrapMechanisms, ...keyWrapMechanisms])],
  } as const
  const importer = new KeyImporter(cryptoki, slot, everything, capabilities)
  const trials: ImportTrial[] = []
  for (const [spec, usage, make] of kinds) {
    const mechanism = keyMechanisms[spec]!
    if (capabilities.lacks[spec] !== undefined) continue
    const material = readKeyMaterial(spec, mechanism, make())
    const keeping = { id: randomBytes(32), label: 'trial', profile, session: true }
    const { value, refusal } = await attempt(profile, () =>
      importer.import({ spec, mechanism, usage, keeping, material }, async () => {}),
    )
    trials.push({ spec, ...(refusal === undefined ? { way: value.way } : {}) })
  }
  return trials
}
