import type { KeyUsageType, OriginType, RotationType } from '@aws-sdk/client-kms'
import { Failure } from '../../errors.ts'
import { principalArn } from '../arn.ts'
import type { SupportedKeySpec } from './key-spec.ts'
import type { WrappingKeySpec } from './wrapping-algorithm.ts'

/**
 * Attributes read back from the HSM object right after its creation, stored as evidence of where the key comes from and that it cannot be
 * extracted: PKCS#11 v2.40 section 4.9, table 27 (secret key attributes).
 */
export interface Custody {
  readonly sensitive: boolean
  readonly extractable: boolean
  readonly alwaysSensitive: boolean
  readonly neverExtractable: boolean
  /** Absent if the HSM does not report it. */
  readonly local?: boolean | undefined
  /** The key was brought onto the HSM from outside: where else it is, the HSM cannot tell. */
  readonly imported?: boolean | undefined
  /** The HSM could not unwrap the imported key, so a worker did, and has seen it in plaintext. */
  readonly bridged?: boolean | undefined
  /** CKA_EXTRACTABLE and CKA_WRAP_WITH_TRUSTED: it can leave the HSM, wrapped under keys that its security officer has marked as trusted. */
  readonly wrapWithTrusted?: boolean | undefined
  /** The HSM that wrapped the key for this one; `imported` is true as well. */
  readonly transferredFrom?: string | undefined
}

/** Changed only by callers, but that PendingReplicaDeletion becomes PendingDeletion when the last replica is deleted. */
export type RememberedState = 'Enabled' | 'Disabled' | 'PendingDeletion' | 'PendingReplicaDeletion'

/** What is wrong with the HSM object of a key. */
export type CustodyFault =
  /** The HSM does not have it. */
  | 'missing'
  /** Several objects have its CKA_ID. */
  | 'duplicate'
  /** The object with its CKA_ID is another key. */
  | 'wrong_key'
  /** Its attributes no longer state that it was generated on the HSM, unless it was imported, and cannot be extracted. */
  | 'wrong_attributes'

/** An object on an HSM that holds a secret or private key. */
export interface KeyObject {
  /** CKA_ID: 32 random bytes as 64 lower-case hex digits, chosen before creation. */
  readonly id: string
  /** Name of the HSM (in the configuration) that holds it. */
  readonly hsm: string
  readonly custody: Custody
  /** DER SubjectPublicKeyInfo; absent for secret keys. */
  readonly publicKey?: Uint8Array | undefined
  /** Binds the record to its object: see hsm.ts. Absent if the public key does so, and in records of older versions. */
  readonly checkValue?: Uint8Array | undefined
}

/** How key material became the current one, as ListKeyRotations tells it. */
export interface Rotation {
  readonly type: RotationType
  /** Milliseconds since the epoch. */
  readonly date: number
}

/** Key material that a KMS key has, or had. */
export interface KeyMaterial {
  /**
   * KMS's KeyMaterialId: 64 lower-case hex digits. That of generated material is the CKA_ID of its object; that of imported material is
   * derived from the ARN of the key and from the material, so that the same material has it again when it is imported again.
   */
  readonly id: string
  /** Milliseconds since the epoch: when it was generated, or imported for the first time. */
  readonly createdAt: number
  /** Absent while imported material is not on the HSM, as it has expired or was deleted. */
  readonly object?: KeyObject | undefined
  /** Absent for the first material of a key, and for one that is pending rotation. */
  readonly rotation?: Rotation | undefined
  /** Of imported material. */
  readonly imported?: ImportedMaterial | undefined
}

export interface ImportedMaterial {
  /** Milliseconds since the epoch; absent if it does not expire. */
  readonly validTo?: number | undefined
  /** KMS's KeyMaterialDescription. */
  readonly description?: string | undefined
}

export interface Tag {
  readonly TagKey: string
  readonly TagValue: string
}

/** The record of a KMS key. The key itself is on the HSM. */
export interface Key {
  readonly arn: string
  readonly id: string
  readonly account: string
  readonly region: string
  readonly spec: SupportedKeySpec
  readonly usage: KeyUsageType
  readonly origin: OriginType
  /** Regardless of the HSM: see key-state.ts for the effective state. */
  readonly state: RememberedState
  /** Found by the last check of its HSM objects. */
  readonly custodyFault?: CustodyFault | undefined
  readonly description: string
  /** Milliseconds since the epoch, as all times in the model. */
  readonly creationDate: number
  /** Only while the state is PendingDeletion. */
  readonly deletionDate?: number | undefined
  /** The waiting period of a primary key that is pending the deletion of its replicas, which begins when the last of them is deleted. */
  readonly pendingWindowInDays?: number | undefined
  /** Of a multi-Region key. Its related keys are those of the same account and partition with the same id. */
  readonly multiRegion?: 'PRIMARY' | 'REPLICA' | undefined
  /** The custom key store that it is in. */
  readonly customKeyStoreId?: string | undefined
  /** Of a key in an external key store: the id of the external key. */
  readonly xksKeyId?: string | undefined
  readonly tags: readonly Tag[]
  /** Text of the key policy, as it was put. */
  readonly policy: string
  /**
   * Unique ids of the principals that the policy named when it was put, by their ARNs. Absent if it was put by an older version: then it
   * names whoever has the ARN.
   */
  readonly policyPrincipals?: Readonly<Record<string, string>> | undefined
  /** Those that are or were current, oldest first; the last is the current one. Empty only before the first import. */
  readonly materials: readonly KeyMaterial[]
  /** Imported, and current after the next rotation on demand. */
  readonly pendingMaterial?: KeyMaterial | undefined
  /** Automatic rotation; absent while it is not enabled. */
  readonly automaticRotation?: AutomaticRotation | undefined
  /** Absent for a customer managed key. */
  readonly manager?: KeyManager | undefined
  readonly revision: number
}

/** The service whose key it is: KMS Developer Guide, "AWS managed keys" and "AWS owned keys". */
export interface KeyManager {
  /** Its service principal, for example `s3.amazonaws.com`. */
  readonly service: string
  /** An AWS owned key: only the service may know of it. Otherwise an AWS managed key, for its account. */
  readonly owned: boolean
}

export interface AutomaticRotation {
  /** 90 to 2560. */
  readonly periodInDays: number
  /** Milliseconds since the epoch. */
  readonly nextDate: number
}

/** KMS Developer Guide, "Key identifiers (KeyId)": only multi-Region keys have such an id. */
export function isMultiRegion({ id }: Pick<Key, 'id'>): boolean {
  return id.startsWith('mrk-')
}

/** Throws InvalidState for a key without any, whose state allows no use. */
export function currentMaterial({ arn, materials }: Pick<Key, 'arn' | 'materials'>): KeyMaterial {
  const current = materials.at(-1)
  if (current) return current
  throw new Failure('InvalidState', `${arn} is pending import.`)
}

/** Throws InvalidState for material that is not on the HSM, of a key whose state allows no use. */
export function objectOf({ id, object }: KeyMaterial): KeyObject {
  if (object) return object
  throw new Failure('InvalidState', `The key material ${id} is pending import.`)
}

type Materials = Pick<Key, 'materials' | 'pendingMaterial'>

/** Oldest first, a pending one last. */
export function materialsOf({ materials, pendingMaterial }: Materials): readonly KeyMaterial[] {
  return pendingMaterial ? [...materials, pendingMaterial] : materials
}

/** When the first of its imported materials expires that is on an HSM, in milliseconds since the epoch; undefined if none does. */
export function nextExpiry(key: Materials): number | undefined {
  const dates = materialsOf(key).flatMap(({ object, imported }) => (object && imported?.validTo) ?? [])
  return dates.length === 0 ? undefined : Math.min(...dates)
}

/** Everything on HSMs that belongs to a key, the latest last. */
export function objectsOf(key: Materials): readonly KeyObject[] {
  return materialsOf(key).flatMap(({ object }) => object ?? [])
}

/**
 * `canary` proves that the HSM is the right one and works; `seal` encrypts the secrets of access keys. The HSM of a custom key store has only the
 * first, other HSMs have both.
 */
export const encryptionPurposes = ['seal', 'canary'] as const

/**
 * Besides, one HSM has an `audit` key, which signs the audit journal, and an HSM to which others transfer multi-Region keys a `transfer` key,
 * which unwraps them.
 */
export const systemKeyPurposes = [...encryptionPurposes, 'audit', 'transfer'] as const

/** A key of the gateway itself, one per HSM and purpose. */
export interface SystemKey {
  readonly purpose: (typeof systemKeyPurposes)[number]
  /** Always on the HSM, as are the former ones. */
  readonly material: KeyMaterial
  /** Those before, the oldest first, which still decrypt. */
  readonly former?: readonly KeyMaterial[] | undefined
  /** Of an audit key: how it followed from the first one, the oldest change first. */
  readonly changes?: readonly SigningKey[] | undefined
  readonly revision: number
}

/** A new audit key, signed by the former one: see audit/checkpoint.ts. */
export interface SigningKey {
  /** Base64 of the DER SubjectPublicKeyInfo. */
  readonly publicKey: string
  /** Hex SHA-256 of the former key's. */
  readonly previous: string
  /** When it was created: ISO 8601, UTC, milliseconds. */
  readonly time: string
  /** Base64 of the DER ECDSA-Sig-Value. */
  readonly signature: string
}

/** On HSMs, the latest last. */
export function objectsOfSystemKey({ material, former = [] }: SystemKey): readonly KeyObject[] {
  return [...former, material].map(objectOf)
}

/** A key pair on an HSM that is no key yet: the next key of its kind gets it, as its generation takes long. */
export interface SpareKey extends Pick<Key, 'spec' | 'usage'> {
  readonly object: KeyObject
  readonly revision: number
}

/**
 * A key pair on an HSM under which callers wrap the key material that they import into a KMS key: one for each KMS key, spec and day, so
 * that callers cannot fill the HSM, and no material is unwrapped for another key.
 */
export interface WrappingKey {
  readonly object: KeyObject
  readonly keyArn: string
  readonly spec: WrappingKeySpec
  /** On which it is handed out: days since the epoch (UTC). */
  readonly day: number
  readonly revision: number
}

/** An HSM object that no key needs any more, to be destroyed by a job. */
export interface Destruction {
  /** CKA_ID. */
  readonly object: string
  readonly hsm: string
  /** Absent for a spare key. */
  readonly keyArn?: string | undefined
  readonly revision: number
}

/** The policy action that permits changing a key policy. */
export const keyPolicyAction = 'kms:PutKeyPolicy'

/** The policy of a key that was created without one, formatted as on AWS: KMS Developer Guide, "Default key policy". */
export function defaultKeyPolicy(account: string, partition: string): string {
  return `{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [
    {
      "Sid" : "Enable IAM User Permissions",
      "Effect" : "Allow",
      "Principal" : {
        "AWS" : "${principalArn(partition, account, 'root')}"
      },
      "Action" : "kms:*",
      "Resource" : "*"
    }
  ]
}`
}
