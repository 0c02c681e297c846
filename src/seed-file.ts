/** The seed file of emulator mode, in the form of local-kms: keys of given ids and key material, and aliases. */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { z } from 'zod'
import { OperatorError } from './errors.ts'
import type { Key } from './model/keys/key.ts'
import type { SupportedKeySpec } from './model/keys/key-spec.ts'
import { describeIssue } from './schema-issue.ts'

export interface SeedKey extends Pick<Key, 'id' | 'spec' | 'usage' | 'origin' | 'description'> {
  /** Oldest first: AES-256 keys, or private keys as DER PKCS#8 PrivateKeyInfo. */
  readonly materials: readonly Uint8Array[]
}

export interface SeedAlias {
  /** With its `alias/` prefix. */
  readonly name: string
  readonly keyId: string
}

export interface Seed {
  readonly keys: readonly SeedKey[]
  readonly aliases: readonly SeedAlias[]
}

const keyId = z.string().regex(/^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i, 'not a UUID')
const metadata = {
  KeyId: keyId,
  Description: z.string().default(''),
  Origin: z.enum(['AWS_KMS', 'EXTERNAL']).default('AWS_KMS'),
}
const aes = z.strictObject({
  Metadata: z.strictObject(metadata),
  BackingKeys: z
    .array(z.string().regex(/^[0-9a-f]{64}$/i, 'not 64 hex digits'))
    .min(1, 'a key without key material is not supported'),
  /** Keys are not rotated: accepted, as files have it. */
  NextKeyRotation: z.string().optional(),
})
const rsa = z.strictObject({
  Metadata: z.strictObject({ ...metadata, KeyUsage: z.enum(['SIGN_VERIFY', 'ENCRYPT_DECRYPT']) }),
  PrivateKeyPem: z.string(),
})
const ecc = z.strictObject({
  Metadata: z.strictObject({ ...metadata, KeyUsage: z.enum(['SIGN_VERIFY', 'KEY_AGREEMENT']).default('SIGN_VERIFY') }),
  PrivateKeyPem: z.string(),
})
const schema = z.strictObject({
  Keys: z
    .strictObject({
      Symmetric: z.strictObject({ Aes: z.array(aes).default([]) }).prefault({}),
      Asymmetric: z.strictObject({ Rsa: z.array(rsa).default([]), Ecc: z.array(ecc).default([]) }).prefault({}),
    })
    .prefault({}),
  Aliases: z.array(z.strictObject({ AliasName: z.string(), TargetKeyId: z.string() })).default([]),
})

/** Throws an OperatorError of one line, which never shows key material. */
export function readSeed(file: string): Seed {
  const { Keys, Aliases } = validated(file)
  const { Symmetric, Asymmetric } = Keys
  const symmetric = Symmetric.Aes.map(({ Metadata, BackingKeys }): SeedKey => {
    const kind = { spec: 'SYMMETRIC_DEFAULT', usage: 'ENCRYPT_DECRYPT' } as const
    return { ...common(Metadata), ...kind, materials: BackingKeys.map(digits => Buffer.from(digits, 'hex')) }
  })
  const asymmetric = [...Asymmetric.Rsa, ...Asymmetric.Ecc].map(({ Metadata, PrivateKeyPem }): SeedKey => {
    const key = privateKey(PrivateKeyPem)
    const spec = key && specOf(key)
    if (key === undefined || spec === undefined) {
      throw new OperatorError(
        `seed file ${file}: key ${Metadata.KeyId}: not the private key of a supported key spec in PEM`,
      )
    }
    const materials = [key.export({ format: 'der', type: 'pkcs8' })]
    return { ...common(Metadata), spec, usage: Metadata.KeyUsage, materials }
  })
  const aliases = Aliases.map(({ AliasName, TargetKeyId }) => ({ name: AliasName, keyId: TargetKeyId }))
  return { keys: [...symmetric, ...asymmetric], aliases }
}

function validated(file: string): z.infer<typeof schema> {
  let written: unknown
  try {
    written = parse(readFileSync(file, 'utf8'))
  } catch (error) {
    const { code, name } = error as NodeJS.ErrnoException
    // The message of the parser quotes the file.
    const reason = code !== undefined && name !== 'YAMLParseError' ? code : 'not valid YAML'
    throw new OperatorError(`cannot read the seed file ${file}: ${reason}`)
  }
  const { success, data, error } = schema.safeParse(written ?? {})
  if (!success) throw new OperatorError(`seed file ${file}: ${describeIssue(error.issues[0]!, () => [])}`)
  return data
}

function common({ KeyId, Description, Origin }: { KeyId: string; Description: string; Origin: Key['origin'] }) {
  return { id: KeyId, description: Description, origin: Origin }
}

function privateKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem)
  } catch {
    return undefined
  }
}

const curves: Readonly<Record<string, SupportedKeySpec>> = {
  prime256v1: 'ECC_NIST_P256',
  secp384r1: 'ECC_NIST_P384',
  secp521r1: 'ECC_NIST_P521',
  secp256k1: 'ECC_SECG_P256K1',
}
const moduli: Readonly<Record<number, SupportedKeySpec>> = { 2048: 'RSA_2048', 3072: 'RSA_3072', 4096: 'RSA_4096' }

function specOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): SupportedKeySpec | undefined {
  const { modulusLength = 0, namedCurve = '' } = asymmetricKeyDetails ?? {}
  if (asymmetricKeyType === 'rsa') return moduli[modulusLength]
  return asymmetricKeyType === 'ec' ? curves[namedCurve] : undefined
}
