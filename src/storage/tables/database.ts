/** The schema: every table, as created by the migrations. Times are milliseconds since the epoch. */
import type { AccessKey } from '../../model/identities/access-key.ts'
import type { Owner } from '../../model/identities/policy.ts'
import type { Principal } from '../../model/identities/principal.ts'
import type { CustomKeyStore } from '../../model/keys/custom-key-store.ts'
import type { CustodyFault, Key, Rotation, SystemKey, WrappingKey } from '../../model/keys/key.ts'

export interface Database {
  readonly keys: KeyRow
  readonly key_materials: MaterialRow
  readonly aliases: AliasRow
  readonly grants: GrantRow
  readonly accounts: AccountRow
  readonly managed_policies: ManagedPolicyRow
  readonly identity_groups: GroupRow
  readonly oidc_providers: OidcProviderRow
  readonly principals: PrincipalRow
  readonly services: ServiceRow
  readonly access_keys: AccessKeyRow
  readonly access_key_uses: AccessKeyUseRow
  readonly key_uses: KeyUseRow
  readonly encryption_counts: EncryptionCountRow
  readonly usage_tracking: UsageTrackingRow
  readonly encryption_tracking: EncryptionTrackingRow
  readonly system_keys: SystemKeyRow
  readonly spare_keys: SpareKeyRow
  readonly wrapping_keys: WrappingKeyRow
  readonly custom_key_stores: CustomKeyStoreRow
  readonly custom_key_store_claims: CustomKeyStoreClaimRow
  readonly destructions: DestructionRow
  readonly xks_prefixes: XksPrefixRow
  readonly xks_keys: XksKeyRow
  readonly outbox: OutboxRow
  readonly taken_records: TakenRecordRow
  readonly journals: JournalRow
  readonly clock: ClockRow
  readonly write_check: WriteCheckRow
  readonly change_number: ChangeNumberRow
  readonly changes: ChangeRow
  readonly gateways: GatewayRow
  readonly job_lease: JobLeaseRow
}

export interface KeyRow {
  readonly arn: string
  readonly id: string
  readonly account: string
  readonly region: string
  readonly spec: Key['spec']
  readonly usage: Key['usage']
  readonly origin: Key['origin']
  readonly state: Key['state']
  readonly description: string
  readonly creation_date: number
  readonly deletion_date: number | null
  readonly pending_window: number | null
  readonly multi_region: Exclude<Key['multiRegion'], undefined> | null
  readonly custom_key_store_id: string | null
  readonly xks_key_id: string | null
  /** JSON. */
  readonly tags: string
  readonly policy: string
  /** JSON. */
  readonly policy_principals: string | null
  readonly custody_fault: CustodyFault | null
  /** Both null while automatic rotation is not enabled. */
  readonly rotation_period: number | null
  readonly next_rotation_date: number | null
  /** Null for a customer managed key. */
  readonly service: string | null
  /** 1 for an AWS owned key, else 0. */
  readonly owned: number
  readonly revision: number
}

export interface MaterialRow {
  readonly key_arn: string
  /** From 0, the oldest; -1 for one that is pending rotation. */
  readonly position: number
  readonly id: string
  readonly created_at: number
  readonly rotation_type: Rotation['type'] | null
  readonly rotation_date: number | null
  /** 1 for imported material, else 0. */
  readonly imported: number
  readonly valid_to: number | null
  readonly description: string | null
  /** CKA_ID; null if it is not on an HSM, as are the following. */
  readonly object: string | null
  readonly hsm: string | null
  /** JSON. */
  readonly custody: string | null
  readonly public_key: Uint8Array | null
  readonly check_value: Uint8Array | null
}

export interface AliasRow {
  readonly arn: string
  readonly name: string
  readonly account: string
  readonly region: string
  readonly target_key_arn: string
  /** JSON. */
  readonly former_keys: string | null
  readonly successor_key_arn: string | null
  readonly creation_date: number
  readonly last_updated_date: number
  readonly revision: number
}

export interface GrantRow {
  readonly key_arn: string
  readonly id: string
  readonly region: string
  readonly name: string | null
  readonly grantee_arn: string
  readonly grantee_id: string | null
  readonly retiring_arn: string | null
  readonly retiring_id: string | null
  readonly issuing_account: string
  /** JSON. */
  readonly operations: string
  /** JSON. */
  readonly constraints: string | null
  readonly creation_date: number
  readonly fingerprint: string | null
  readonly revision: number
}

export interface AccountRow {
  readonly id: string
  readonly name: string | null
  readonly created_at: number | null
  readonly owner: Owner | null
  readonly revision: number
}

export interface ManagedPolicyRow {
  readonly arn: string
  readonly account: string
  readonly name: string
  readonly policy_id: string
  readonly document: string
  readonly description: string | null
  readonly created_at: number
  readonly owner: Owner | null
  readonly revision: number
}

export interface GroupRow {
  readonly arn: string
  readonly account: string
  readonly name: string
  readonly group_id: string
  /** JSON. */
  readonly inline_policies: string
  /** JSON. */
  readonly managed_policies: string
  readonly created_at: number
  readonly owner: Owner | null
  readonly revision: number
}

export interface OidcProviderRow {
  readonly arn: string
  readonly account: string
  readonly url: string
  /** JSON. */
  readonly audiences: string
  readonly jwks_url: string | null
  readonly jwks_file: string | null
  readonly ca_file: string | null
  readonly created_at: number
  readonly owner: Owner | null
  readonly revision: number
}

export interface PrincipalRow {
  readonly arn: string
  readonly account: string
  readonly type: Principal['type']
  readonly name: string
  readonly principal_id: string
  /** JSON. */
  readonly inline_policies: string
  /** JSON. */
  readonly managed_policies: string
  readonly permissions_boundary: string | null
  /** JSON. */
  readonly tags: string
  /** JSON. */
  readonly groups: string
  readonly description: string | null
  readonly trust_policy: string | null
  /** JSON. */
  readonly trust_principals: string | null
  readonly max_session_duration: number | null
  readonly created_at: number | null
  readonly sessions_revoked_before: number | null
  readonly owner: Owner | null
  readonly revision: number
}

export interface ServiceRow {
  readonly name: string
  readonly user_arn: string
  /** JSON. */
  readonly accounts: string
  readonly created_at: number
  readonly owner: Owner | null
  readonly revision: number
}

export interface AccessKeyRow {
  readonly id: string
  readonly principal_arn: string
  readonly sealed_secret: Uint8Array
  readonly status: AccessKey['status']
  readonly created_at: number | null
  readonly revision: number
}

export interface AccessKeyUseRow {
  readonly access_key_id: string
  readonly used_at: number
  readonly region: string
  readonly service: string
  readonly source_address: string
}

export interface KeyUseRow {
  readonly key_arn: string
  readonly operation: string
  readonly used_at: number
  readonly event_id: string
  readonly request_id: string
}

export interface EncryptionCountRow {
  readonly material: string
  readonly count: number
}

/** One row. */
export interface UsageTrackingRow {
  readonly started_at: number | null
  /** No longer used: see EncryptionTrackingRow. */
  readonly unwritten_encryptions: number
}

export interface EncryptionTrackingRow {
  /** Its name; empty for the last run of a former version. */
  readonly gateway: string
  /** Encryptions under each key material that it may have made and not written; 0 after a clean end. */
  readonly unwritten: number
}

export interface SystemKeyRow {
  readonly hsm: string
  readonly purpose: SystemKey['purpose']
  /** CKA_ID. */
  readonly object: string
  /** JSON. */
  readonly custody: string
  readonly check_value: Uint8Array | null
  readonly created_at: number
  /** JSON. */
  readonly former: string | null
  /** Of an audit key. */
  readonly public_key: Uint8Array | null
  /** JSON. */
  readonly changes: string | null
  readonly revision: number
}

export interface SpareKeyRow {
  /** CKA_ID. */
  readonly object: string
  readonly hsm: string
  readonly spec: Key['spec']
  readonly usage: Key['usage']
  /** JSON. */
  readonly custody: string
  readonly public_key: Uint8Array
  readonly revision: number
}

export interface WrappingKeyRow {
  readonly key_arn: string
  readonly spec: WrappingKey['spec']
  readonly day: number
  /** CKA_ID. */
  readonly object: string
  readonly hsm: string
  /** JSON. */
  readonly custody: string
  readonly public_key: Uint8Array
  readonly revision: number
}

export interface CustomKeyStoreRow {
  readonly id: string
  readonly account: string
  readonly region: string
  readonly name: string
  readonly type: CustomKeyStore['type']
  readonly creation_date: number
  readonly state: CustomKeyStore['state']
  readonly connection_error_code: Exclude<CustomKeyStore['connectionErrorCode'], undefined> | null
  /** JSON, of type AWS_CLOUDHSM. */
  readonly cloud_hsm: string | null
  /** JSON, of type EXTERNAL_KEY_STORE. */
  readonly xks: string | null
  /** The password, or the secret access key of the proxy. */
  readonly sealed_secret: Uint8Array | null
  readonly revision: number
}

/** What only one store may have. */
export interface CustomKeyStoreClaimRow {
  readonly value: string
  readonly store_id: string
}

export interface DestructionRow {
  /** CKA_ID. */
  readonly object: string
  readonly hsm: string
  /** Empty for a spare key. */
  readonly key_arn: string
  readonly revision: number
}

export interface XksPrefixRow {
  readonly name: string
  readonly account: string
  readonly region: string
  readonly frozen: number
  /** JSON. */
  readonly credentials: string
  /** JSON. */
  readonly client_certificate: string | null
  readonly quota: number | null
  readonly sample_proxy_aad: number
  readonly revision: number
}

export interface XksKeyRow {
  readonly prefix: string
  readonly id: string
  readonly key_arn: string
  readonly frozen: number
  readonly pin_first_user: number
  readonly pinned_to: string | null
  readonly revision: number
}

export interface OutboxRow {
  readonly event_id: string
  readonly position: string
  /** JSON. */
  readonly record: string
  /** Of the commit; null but for the event that caused it. */
  readonly change_number: number | null
}

/** A record that another journal than the one that it was held for has got. */
export interface TakenRecordRow {
  readonly event_id: string
  /** UUID of the journal that it was held for. */
  readonly origin: string
}

export interface JournalRow {
  /** UUID. */
  readonly id: string
  /** That has it; null for that of a former version until its gateway starts. */
  readonly gateway: string | null
  /** By the clock of the database; 0 for that of a former version. */
  readonly registered_at: number
  /** See writePositions. */
  readonly position: string | null
  /** JSON, as the following. Null before the first checkpoint. */
  readonly head: string | null
  /** Null before the first run. */
  readonly run: string | null
}

export interface ClockRow {
  readonly name: 'wall'
  /** JSON. */
  readonly reading: string | null
}

/** One row. */
export interface WriteCheckRow {
  readonly count: number
}

/** One row. */
export interface ChangeNumberRow {
  /** Of the last commit. Each updates this row before anything else, so they run one after another, on every engine. */
  readonly last: number
}

export interface ChangeRow {
  readonly number: number
  /** From 0, within the commit. */
  readonly position: number
  readonly noun: string
  /** JSON. */
  readonly record_key: string
  /** Whom it may forbid something: see fleet/scopes.ts. Null for nobody. */
  readonly scope: string | null
  readonly gateway: string
  /** Of the audit record; null for a commit without one. */
  readonly event_id: string | null
  /** By the clock of the database. */
  readonly committed_at: number
}

/** A gateway that has, or had, a lease. */
export interface GatewayRow {
  readonly name: string
  /** Of its last start: random. */
  readonly run: string
  /** By the clock of the database, as the following. */
  readonly joined_at: number
  /** 0 once the lease has ended: it was given back, or others have waited for its end. Before that, only people are told when it ends. */
  readonly lease_until: number
  /** Milliseconds for which the lease was granted. Null: by a former version. */
  readonly lease: number | null
  /** Of the run: another number each time. 0: of a former version. */
  readonly renewal: number
  /** Number of the last change in its view. */
  readonly applied: number
  /** JSON. */
  readonly state: string
}

/** One row. */
export interface JobLeaseRow {
  /** Grows whenever a gateway gets the lease. */
  readonly fence: number
  /** That had it last; null before the first. */
  readonly gateway: string | null
}
