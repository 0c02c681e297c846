/** The seed file of emulator mode, in the forms of local-kms: keys of given ids and key material, and aliases. */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parse, YAMLParseError } from 'yaml'
import { z } from 'zod'
import { OperatorError } from './errors.ts'
import { isKeyId } from './model/arn.ts'
import type { Key } from './model/keys/key.ts'
import { keySpecs, type SupportedKeySpec } from './model/keys/key-spec.ts'
import { describeIssue } from './schema-issue.ts'

export interface SeedKey extends Pick<Key, 'id' | 'spec' | 'usage' | 'origin' | 'description'> {
  /** Oldest first: AES-256 keys, or private keys as DER PKCS#8 PrivateKeyInfo. */
  readonly materials: readonly Uint8Array[]
  /** Milliseconds since the epoch: when automatic rotation begins. Absent: not enabled. */
  readonly nextRotationDate?: number | undefined
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

const aliasPrefix = 'alias/'
type KeyUsage = Key['usage']
const usages = [...new Set(Object.values(keySpecs).flatMap(({ usages }) => usages))] as [KeyUsage, ...KeyUsage[]]
const keyId = z.string().refine(isKeyId, 'not a key id')
const metadata = {
  KeyId: keyId,
  Description: z.string().default(''),
  Origin: z.enum(['AWS_KMS', 'EXTERNAL']).default('AWS_KMS'),
}
const hex = z.string().regex(/^(?:[0-9a-f]{2})+$/i, 'not hex digits')
const withoutMaterial = 'only a key of Origin EXTERNAL can be without key material'
/** Milliseconds since the epoch. */
const nextKeyRotation = z
  .string()
  .transform(text => Date.parse(text))
  .refine(Number.isFinite, 'not a date')
  .optional()
const aes = z.strictObject({
  Metadata: z.strictObject(metadata),
  BackingKeys: z.array(hex.length(64, 'not 64 hex digits')).default([]),
  NextKeyRotation: nextKeyRotation,
})
const rsa = z.strictObject({
  Metadata: z.strictObject({ ...metadata, KeyUsage: z.enum(['SIGN_VERIFY', 'ENCRYPT_DECRYPT']) }),
  PrivateKeyPem: z.string(),
})
const ecc = z.strictObject({
  Metadata: z.strictObject({ ...metadata, KeyUsage: z.enum(['SIGN_VERIFY', 'KEY_AGREEMENT']).default('SIGN_VERIFY') }),
  PrivateKeyPem: z.string(),
})
/** The older form: keys by kind. */
const kinds = z
  .strictObject({
    Symmetric: z.strictObject({ Aes: z.array(aes).default([]) }).prefault({}),
    Asymmetric: z.strictObject({ Rsa: z.array(rsa).default([]), Ecc: z.array(ecc).default([]) }).prefault({}),
  })
  .prefault({})
/** The form of version 2: a list of keys. */
const list = z.array(
  z.strictObject({
    KeyId: keyId,
    Metadata: z.strictObject({
      Description: z.string().default(''),
      KeySpec: z.enum(Object.keys(keySpecs) as SupportedKeySpec[]),
      KeyUsage: z.enum(usages).exactOptional(),
    }),
    NextKeyRotation: nextKeyRotation,
    Material: z.strictObject({ BackingKeys: z.array(hex).default([]), PrivateKeyPem: z.string().exactOptional() }),
  }),
)
const common = {
  Version: z.literal(2).exactOptional(),
  Aliases: z.array(z.strictObject({ AliasName: z.string(), TargetKeyId: z.string() })).default([]),
}
const schemas = { kinds: z.strictObject({ ...common, Keys: kinds }), list: z.strictObject({ ...common, Keys: list }) }

/** Throws an OperatorError of one line, which never shows key material. */
export function readSeed(file: string): Seed {
  const written = parsed(file)
  const isList = Array.isArray((written as { readonly Keys?: unknown }).Keys)
  const { keys, aliases } = isList ? fromList(file, written) : fromKinds(file, written)
  const empty = keys.find(({ origin, materials }) => origin !== 'EXTERNAL' && materials.length === 0)
  if (empty) throw new OperatorError(`seed file ${file}: key ${empty.id}: ${withoutMaterial}`)
  const fixed = keys.find(({ spec, origin, nextRotationDate }) => {
    return nextRotationDate !== undefined && (keySpecs[spec].type !== 'symmetric' || origin !== 'AWS_KMS')
  })
  if (fixed)
    throw new OperatorError(
      `seed file ${file}: key ${fixed.id}: NextKeyRotation is for symmetric keys of Origin AWS_KMS only`,
    )
  const nameOf = (name: string) => (name.startsWith(aliasPrefix) ? name : aliasPrefix + name)
  return { keys, aliases: aliases.map(alias => ({ name: nameOf(alias.AliasName), keyId: alias.TargetKeyId })) }
}

function fromKinds(file: string, written: unknown) {
  const { Keys, Aliases } = validated(schemas.kinds, file, written)
  const symmetric = Keys.Symmetric.Aes.map(({ Metadata, BackingKeys, NextKeyRotation }): SeedKey => {
    const kind = { spec: 'SYMMETRIC_DEFAULT', usage: 'ENCRYPT_DECRYPT' } as const
    return { ...identityOf(Metadata), ...kind, materials: BackingKeys.map(bytesOf), nextRotationDate: NextKeyRotation }
  })
  const asymmetric = [...Keys.Asymmetric.Rsa, ...Keys.Asymmetric.Ecc].map(({ Metadata, PrivateKeyPem }): SeedKey => {
    const key = privateKey(PrivateKeyPem)
    const spec = key && specOf(key)
    if (key === undefined || spec === undefined) throw unsupported(file, Metadata.KeyId)
    return { ...identityOf(Metadata), spec, usage: Metadata.KeyUsage, materials: [pkcs8Of(key)] }
  })
  return { keys: [...symmetric, ...asymmetric], aliases: Aliases }
}

function fromList(file: string, written: unknown) {
  const { Keys, Aliases } = validated(schemas.list, file, written)
  const keys = Keys.map(({ KeyId, Metadata, Material, NextKeyRotation: nextRotationDate }): SeedKey => {
    const { Description, KeySpec: spec, KeyUsage } = Metadata
    const identity = identityOf({ KeyId, Description, Origin: 'AWS_KMS' })
    const usage = KeyUsage ?? usageOf(spec)
    if (usage === undefined || !keySpecs[spec].usages.includes(usage)) {
      throw new OperatorError(`seed file ${file}: key ${KeyId}: KeyUsage is missing or does not fit KeySpec ${spec}`)
    }
    if (keySpecs[spec].type !== 'asymmetric') {
      return { ...identity, spec, usage, materials: Material.BackingKeys.map(bytesOf), nextRotationDate }
    }
    const key = privateKey(Material.PrivateKeyPem ?? '')
    if (key === undefined) throw unsupported(file, KeyId)
    return { ...identity, spec, usage, materials: [pkcs8Of(key)], nextRotationDate }
  })
  return { keys, aliases: Aliases }
}

/** The only one, or that of signatures: RSA keys need it. */
function usageOf(spec: SupportedKeySpec): KeyUsage | undefined {
  const { usages } = keySpecs[spec]
  if (spec.startsWith('RSA')) return undefined
  return usages.length === 1 ? usages[0] : 'SIGN_VERIFY'
}

function unsupported(file: string, id: string): OperatorError {
  return new OperatorError(`seed file ${file}: key ${id}: not the private key of a supported key spec in PEM`)
}

function bytesOf(digits: string): Buffer {
  return Buffer.from(digits, 'hex')
}

function pkcs8Of(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'pkcs8' })
}

function parsed(file: string): unknown {
  try {
    return parse(readFileSync(file, 'utf8')) ?? {}
  } catch (error) {
    throw new OperatorError(`cannot read the seed file ${file}: ${reasonOf(error)}`)
  }
}

/** Without the message of the parser, which quotes the file. */
function reasonOf(error: unknown): string {
  if (error instanceof YAMLParseError && error.linePos) return `not valid YAML at line ${error.linePos[0].line}`
  return error instanceof YAMLParseError
    ? 'not valid YAML'
    : ((error as NodeJS.ErrnoException).code ?? 'not valid YAML')
}

function validated<T extends z.ZodType>(schema: T, file: string, written: unknown): z.infer<T> {
  const { success, data, error } = schema.safeParse(written)
  if (!success) throw new OperatorError(`seed file ${file}: ${describeIssue(error.issues[0]!, () => [])}`)
  return data
}

function identityOf({ KeyId, Description, Origin }: { KeyId: string; Description: string; Origin: Key['origin'] }) {
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
