/** The HSM objects without which a storage is of no use: a backup lists them. */
import type { Kysely } from 'kysely'
import type { HeldKey } from '../hsm/hsm.ts'
import { type KeyObject, materialsOf, objectsOfSystemKey } from '../model/keys/key.ts'
import type { SupportedKeySpec } from '../model/keys/key-spec.ts'
import type { Noun, Records } from '../storage/storage.ts'
import type { Database } from '../storage/tables/database.ts'
import type { Table } from '../storage/tables/table.ts'
import { tables } from '../storage/tables/tables.ts'
import { heldKey } from '../vault/materials.ts'
import { systemKeyKinds } from '../vault/system-keys.ts'

export interface NeededObject {
  /** Name in the configuration. */
  readonly hsm: string
  /** CKA_ID in hex. */
  readonly id: string
  /** CKA_LABEL of an object that the gateway created. */
  readonly label: string
  /** CKA_CLASS. */
  readonly class: 'CKO_SECRET_KEY' | 'CKO_PRIVATE_KEY'
  /** CKA_KEY_TYPE. */
  readonly keyType: string
  readonly spec: SupportedKeySpec
  readonly usage: HeldKey['usage']
  /** Base64 of the DER SubjectPublicKeyInfo. */
  readonly publicKey?: string | undefined
  /** Base64. */
  readonly checkValue?: string | undefined
  readonly imported?: boolean | undefined
  readonly wrapWithTrusted?: boolean | undefined
  /** Key ARN, or which key of the gateway itself. */
  readonly owner: string
  /** KMS's KeyMaterialId. */
  readonly material: string
  /** When the material was created: milliseconds since the epoch. */
  readonly since: number
  /** Of a key that is pending deletion: milliseconds since the epoch. */
  readonly deletionDate?: number | undefined
}

/** Records that are in memory at once. */
const pageSize = 1000

/** Some at a time. @param db in a transaction with one snapshot */
export async function* neededObjects(db: Kysely<Database>): AsyncGenerator<readonly NeededObject[]> {
  for await (const keys of pages(db, 'systemKeys')) yield keys.flatMap(ofSystemKey)
  for await (const keys of pages(db, 'keys')) yield keys.flatMap(ofKey)
}

/**
 * CKA_IDs of objects that a storage knows and can do without, some at a time: wrapping keys of imports, and what is to be destroyed. Spare
 * keys are not among them, as a restored storage forgets them: see storage/dump/restored.ts.
 */
export async function* knownObjects(db: Kysely<Database>): AsyncGenerator<readonly string[]> {
  for await (const keys of pages(db, 'wrappingKeys')) yield keys.map(({ object }) => object.id)
  for await (const destructions of pages(db, 'destructions')) yield destructions.map(({ object }) => object)
}

async function* pages<N extends Noun>(db: Kysely<Database>, noun: N): AsyncGenerator<readonly Records[N][]> {
  const table = tables[noun] as Table<Records[N]>
  for (let page = await table.load(db, { limit: pageSize }); page.length > 0; ) {
    yield page
    page = await table.load(db, { after: table.key(page.at(-1)!), limit: pageSize })
  }
}

function ofSystemKey({ purpose, ...key }: Records['systemKeys']): NeededObject[] {
  const kind = systemKeyKinds[purpose]
  const materials = [...(key.former ?? []), key.material]
  return objectsOfSystemKey({ purpose, ...key }).map((object, index) => {
    const owner = { owner: `${purpose} key of ${object.hsm}`, label: `strongroom ${purpose}` }
    return { ...described(kind, object), ...owner, material: materials[index]!.id, since: materials[index]!.createdAt }
  })
}

function ofKey(key: Records['keys']): NeededObject[] {
  return materialsOf(key).flatMap(({ id, createdAt, object }) => {
    if (object === undefined) return []
    const { arn, deletionDate } = key
    return [{ ...described(key, object), owner: arn, label: arn, material: id, since: createdAt, deletionDate }]
  })
}

function described(kind: Pick<HeldKey, 'spec' | 'usage'>, object: KeyObject) {
  const { publicKey, checkValue, imported, wrapWithTrusted } = heldKey(kind, object)
  const { spec, usage } = kind
  const base64 = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('base64')
  const bytes = { publicKey: base64(publicKey), checkValue: base64(checkValue) }
  return { hsm: object.hsm, id: object.id, ...typeOf(spec), spec, usage, ...bytes, imported, wrapWithTrusted }
}

/** PKCS#11 v3.1, section 6: by the start of the key spec. */
const keyTypes: readonly (readonly [string, string])[] = [
  ['SYMMETRIC_DEFAULT', 'CKK_AES'],
  ['HMAC', 'CKK_GENERIC_SECRET'],
  ['RSA', 'CKK_RSA'],
  ['ECC_NIST_EDWARDS', 'CKK_EC_EDWARDS'],
  ['ECC', 'CKK_EC'],
  ['ML_DSA', 'CKK_ML_DSA'],
  ['ML_KEM', 'CKK_ML_KEM'],
]

function typeOf(spec: SupportedKeySpec): Pick<NeededObject, 'class' | 'keyType'> {
  const keyType = keyTypes.find(([start]) => spec.startsWith(start))?.[1] ?? spec
  const isSecret = keyType === 'CKK_AES' || keyType === 'CKK_GENERIC_SECRET'
  return { class: isSecret ? 'CKO_SECRET_KEY' : 'CKO_PRIVATE_KEY', keyType }
}

/** For the inspection by an HSM. */
export function heldKeyOf({
  id,
  spec,
  usage,
  publicKey,
  checkValue,
  imported,
  wrapWithTrusted,
}: NeededObject): HeldKey {
  const bytes = (base64: string | undefined) => (base64 === undefined ? undefined : Buffer.from(base64, 'base64'))
  return {
    object: id,
    spec,
    usage,
    publicKey: bytes(publicKey),
    checkValue: bytes(checkValue),
    imported,
    wrapWithTrusted,
  }
}
