import type { KeyUsageType, OriginType } from '@aws-sdk/client-kms'
import { type Delegation, fittingGrant, isForSource, mayDelegate } from '../../authorization/grants.ts'
import { Failure } from '../../errors.ts'
import { aliasName, parseKeyIdentifier } from '../../model/arn.ts'
import type { Caller } from '../../model/identities/caller.ts'
import type { Ability } from '../../model/keys/ability.ts'
import type { EncryptionContext } from '../../model/keys/encryption-context.ts'
import { type Grant, isGrantOperation } from '../../model/keys/grant.ts'
import { type Key, type KeyMaterial, objectOf } from '../../model/keys/key.ts'
import { keyConditions } from '../../model/keys/key-condition-keys.ts'
import { checkState, type StateClass } from '../../model/keys/key-state.ts'
import { type RecordedMaterial, recordedMaterial } from '../../model/keys/recorded-material.ts'
import { checkManagement, type NewServiceKey } from '../../model/keys/service-keys.ts'
import type { ResourcePolicy } from '../../services.ts'
import type { HsmUse, Permission, Search, Target, TargetKind } from '../operation.ts'
import { neededServiceKey } from './service-keys.ts'

/** Targets of key operations: how they are found, and what is checked after authorization. */

export interface KeyNeeds {
  readonly state: StateClass
  /** Checked before usage and state: KMS Developer Guide, "Key states of AWS KMS keys", has it as the error in every state. */
  readonly origin?: OriginType
  /** Whether it is a cryptographic use of the key, which GetKeyLastUsage tells. */
  readonly isUse?: boolean
  readonly usage?: KeyUsageType
  /** Whether the key may be named by an alias. */
  readonly byAlias?: boolean
  /** Whether callers of other accounts can be allowed: KMS Developer Guide, "Allowing users in other accounts to use a KMS key". */
  readonly crossAccount?: boolean
  /** Throws if the request fits no key. Called before all others. */
  readonly fitsAny?: () => void
  /** Throws if the rest of the request does not fit the key. Called last. */
  readonly fits?: (key: Key) => void
  /** Of the request: the constraints of grants apply to it. */
  readonly encryptionContext?: EncryptionContext | undefined
  /** What a new grant is to pass on. */
  readonly delegation?: Delegation
  /** Refused for keys of custom key stores, unless the configuration lets these do more than on AWS. */
  readonly notInStores?: boolean
  /** What its HSM must support; nothing by default. */
  readonly abilities?: readonly Ability[]
}

export interface KeyInput {
  readonly KeyId?: string | undefined
}

export interface KeyTarget extends Target {
  readonly key: Key
}

/** The KMS key named by KeyId. */
export function key(needs: KeyNeeds): TargetKind<KeyInput, KeyTarget> {
  return {
    find: (input, search) => keyTarget(input.KeyId!, needs, search),
  }
}

/** Operations without a resource: only identity-based policies decide. */
export function account<I>(impliedActions: (input: I) => readonly string[] = () => []): TargetKind<I, Target> {
  return { find: (input, search) => accountTarget([search.operation, ...impliedActions(input)], search) }
}

function accountTarget(actions: readonly string[], { caller }: Search): Target {
  return {
    permissions: actions.map(action => ({ action, resource: '*', account: caller.account })),
    resources: [],
    check() {},
  }
}

/** Account operations that can be restricted to one of its keys. */
export const optionalKey: TargetKind<KeyInput, Target & { readonly key?: Key }> = {
  find(input, search) {
    const target = accountTarget([search.operation], search)
    if (input.KeyId === undefined) return target
    const { key, arn } = resolve(input.KeyId, { state: 'view' }, search)
    if (key?.account === search.caller.account) return { ...target, key }
    throw notFound(arn)
  },
}

export function keyTarget(identifier: string, needs: KeyNeeds, search: Omit<Search, 'hsms'>): KeyTarget {
  const { caller, storage, operation, serviceKeys } = search
  const { arn, namedArn, account, key, alias, creation } = resolve(identifier, needs, search)
  const foreign = account !== caller.account
  const asked = { account, alias, caller, storage }
  const permission = {
    action: operation,
    resource: arn,
    account,
    resourcePolicy: policyFor(key, foreign, needs.crossAccount),
    grant: grantFor(key, operation, needs, { caller, storage }),
    conditionKeys: keyConditions({ ...asked, key }),
    named: creation && namedArn,
    // Do not reveal the key of another account's alias, or whether it exists.
    ...(foreign && {
      named: identifier,
      asMissing: { resource: namedArn, conditionKeys: keyConditions({ ...asked, key: undefined }) },
    }),
  }
  const create = creation && serviceKeys && (() => serviceKeys.create(creation, caller))
  return new FoundKey(key, needs, search, permission, create)
}

class FoundKey implements KeyTarget {
  readonly permissions: readonly Permission[]
  readonly prepare: KeyTarget['prepare']
  #resources: readonly string[]
  #key: Key | undefined
  readonly #needs: KeyNeeds
  readonly #search: Omit<Search, 'hsms'>

  /**
   * @param key absent only if policies cannot allow it
   * @param create resolves to the key, if it does not exist yet
   */
  constructor(
    key: Key | undefined,
    needs: KeyNeeds,
    search: Omit<Search, 'hsms'>,
    permission: Permission,
    create: (() => Promise<Key>) | undefined,
  ) {
    this.permissions = [permission]
    this.prepare = create && (() => this.#create(create))
    this.#resources = create ? [] : [permission.resource]
    this.#key = key
    this.#needs = needs
    this.#search = search
  }

  async #create(create: () => Promise<Key>): Promise<void> {
    this.#key = await create()
    this.#resources = [this.#key.arn]
  }

  get resources(): readonly string[] {
    return this.#resources
  }

  /** Emulator mode can leave policies out: then nobody has refused a key that does not exist. */
  get key(): Key {
    if (!this.#key) throw notFound(this.permissions[0]!.resource)
    return this.#key
  }

  get owner(): string {
    return this.permissions[0]!.account
  }

  get recordedMaterial(): RecordedMaterial | undefined {
    return this.#needs.isUse ? recordedMaterial(this.key, this.key.materials.at(-1)) : undefined
  }

  get usedKeys(): readonly string[] | undefined {
    return this.#needs.isUse ? this.resources : undefined
  }

  get hsmUses(): readonly HsmUse[] {
    const { abilities = [] } = this.#needs
    return abilities.length === 0 ? [] : usesOf(this.key.materials.at(-1), abilities)
  }

  /** Measured on AWS: cryptographic operations check the key usage, then the key state, then the rest. */
  check(): void {
    const { fitsAny, origin, notInStores, usage, state, fits } = this.#needs
    const { operation, storage, keyStores } = this.#search
    fitsAny?.()
    checkManagement(this.key, operation)
    const given = isUnlimited(this.key, keyStores) && this.key.origin === 'AWS_CLOUDHSM' ? 'AWS_KMS' : this.key.origin
    if (origin && given !== origin) throw wrongOrigin(this.key)
    if (notInStores && !isUnlimited(this.key, keyStores)) throw wrongOrigin(this.key)
    if (usage) checkUsage(this.key, usage, operation)
    checkState(this.key, state, storage.customKeyStores.ofKey(this.key))
    fits?.(this.key)
  }
}

/** None of a key that a dry run does not create. */
export function usesOf(material: KeyMaterial | undefined, abilities: readonly Ability[]): readonly HsmUse[] {
  return material ? [{ hsm: objectOf(material).hsm, abilities }] : []
}

interface Resolved {
  /** Of the key, if it exists. */
  readonly arn: string
  /** Of what names it: the key or an alias. */
  readonly namedArn: string
  readonly account: string
  /** Absent only if another account's key does not exist: the error must be the same as for one that is not allowed. */
  readonly key: Key | undefined
  /** Name of the alias that named it. */
  readonly alias: string | undefined
  /** Of the key, which does not exist yet. */
  readonly creation: NewServiceKey | undefined
}

export function resolve(identifier: string, needs: KeyNeeds, search: Omit<Search, 'hsms'>): Resolved {
  const { caller, storage } = search
  const { form, arn, account } = parseKeyIdentifier(identifier, caller)
  if (form === 'alias' && !needs.byAlias) {
    throw new Failure('InvalidArn', 'Key Aliases are not supported for this operation.')
  }
  const keyArn = form === 'alias' ? storage.aliases.find(arn)?.targetKeyArn : arn
  const creation = keyArn === undefined ? neededServiceKey({ arn, account }, search) : undefined
  const named = keyArn === undefined ? creation?.key : storage.keys.find(keyArn)
  const found = named && isHidden(named, caller) ? undefined : named
  if (!found && account === caller.account) throw notFound(arn)
  const alias = form === 'alias' ? aliasName(arn) : undefined
  // Whatever account its ARN names: only its service knows of it.
  const owner = found?.manager?.owned ? caller.account : account
  return { arn: found?.arn ?? arn, namedArn: arn, account: owner, key: found, alias, creation }
}

export function notFound(arn: string): Failure {
  return new Failure('NotFound', arn.includes(':alias/') ? `Alias ${arn} is not found.` : `Key '${arn}' does not exist`)
}

/** An AWS owned key is as if it did not exist, but for its service. */
export function isHidden({ manager }: Key, caller: Caller): boolean {
  return manager?.owned === true && !(caller.type === 'service' && caller.service === manager.service)
}

function policyFor(key: Key | undefined, foreign: boolean, crossAccount = false): ResourcePolicy | undefined {
  return key === undefined || (foreign && !crossAccount)
    ? undefined
    : { text: key.policy, principalIds: key.policyPrincipals }
}

/** Whether a key can do all that its key spec allows: one of a custom key store can if the configuration says so, and it is no external key. */
function isUnlimited({ customKeyStoreId, xksKeyId }: Key, keyStores: Search['keyStores']): boolean {
  return customKeyStoreId === undefined || (xksKeyId === undefined && keyStores?.allKeySpecs === true)
}

function wrongOrigin({ arn, origin }: Key): Failure {
  return new Failure('UnsupportedOperation', `${arn} origin is ${origin} which is not valid for this operation.`)
}

function checkUsage({ arn, usage }: Key, needed: KeyUsageType, operation: string): void {
  if (usage === needed) return
  throw new Failure('InvalidKeyUsage', `${arn} key usage is ${usage} which is not valid for ${operation}.`)
}

/** Only operations of grants are open to other accounts by a grant. KMS API Reference: each of them is. */
function grantFor(
  key: Key | undefined,
  operation: string,
  { encryptionContext = {}, delegation }: KeyNeeds,
  { caller, storage }: Pick<Search, 'caller' | 'storage'>,
): Permission['grant'] {
  if (!key || !isGrantOperation(operation)) return undefined
  const { arn: keyArn } = key
  return near => {
    const asked = delegation ? (delegation.constraints ?? {}) : { EncryptionContextEquals: encryptionContext }
    const constraints = near ? undefined : asked
    const accept = (grant: Grant) => {
      if (!near && !isForSource(grant.constraints, caller)) return false
      return !delegation || mayDelegate(near ? { ...grant, constraints } : grant, delegation)
    }
    return fittingGrant(caller, grantee => storage.grants.search({ keyArn, grantee, operation, constraints, accept }))
  }
}
