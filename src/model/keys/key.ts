import type { KeyUsageType, OriginType } from '@aws-sdk/client-kms'
import { principalArn } from '../arn.ts'
import type { SupportedKeySpec } from './key-spec.ts'

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
}

/** Changed only by callers. */
export type RememberedState = 'Enabled' | 'Disabled' | 'PendingDeletion'

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

/** One HSM object that a KMS key has used. Rotation adds further ones; the last is the current one. */
export interface KeyMaterial {
  /** 64 lower-case hex digits: KMS's KeyMaterialId, and the 32 bytes of CKA_ID on the HSM. Chosen before creation. */
  readonly id: string
  /** Name of the HSM (in the configuration) that holds it. */
  readonly hsm: string
  readonly custody: Custody
  /** DER SubjectPublicKeyInfo; absent for secret keys. */
  readonly publicKey?: Uint8Array | undefined
  /** Binds the record to its object: see hsm.ts. Absent if the public key does so, and in records of older versions. */
  readonly checkValue?: Uint8Array | undefined
  /** Milliseconds since the epoch. */
  readonly createdAt: number
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
  readonly tags: readonly Tag[]
  /** Text of the key policy, as it was put. */
  readonly policy: string
  /**
   * Unique ids of the principals that the policy named when it was put, by their ARNs. Absent if it was put by an older version: then it
   * names whoever has the ARN.
   */
  readonly policyPrincipals?: Readonly<Record<string, string>> | undefined
  /** Oldest first, never empty. */
  readonly materials: readonly KeyMaterial[]
  readonly revision: number
}

/** KMS Developer Guide, "Key identifiers (KeyId)": only multi-Region keys have such an id. */
export function isMultiRegion({ id }: Pick<Key, 'id'>): boolean {
  return id.startsWith('mrk-')
}

export function currentMaterial(key: Key): KeyMaterial {
  return key.materials.at(-1)!
}

/** `seal` encrypts the secrets of access keys; `canary` proves that the HSM is the right one and works. */
export const systemKeyPurposes = ['seal', 'canary'] as const

/** A key of the gateway itself, one per HSM and purpose. */
export interface SystemKey {
  readonly purpose: (typeof systemKeyPurposes)[number]
  readonly material: KeyMaterial
  readonly revision: number
}

/** A key pair on an HSM that is no key yet: the next key of its kind gets it, as its generation takes long. */
export interface SpareKey extends Pick<Key, 'spec' | 'usage'> {
  readonly material: Omit<KeyMaterial, 'createdAt'>
  readonly revision: number
}

/** An HSM object of a deleted key, to be destroyed by a job. */
export interface Destruction {
  readonly material: string
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
