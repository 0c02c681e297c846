import { checkIdentityPolicy, checkPolicySize } from '../../authorization/identity-policy.ts'
import { checkTrustPolicy } from '../../authorization/trust-policy.ts'
import { Failure } from '../../errors.ts'
import { principalArn } from '../../model/arn.ts'
import type { Account } from '../../model/identities/account.ts'
import { awsManagedPolicy } from '../../model/identities/aws-managed-policies.ts'
import type { Owner } from '../../model/identities/policy.ts'
import { policyMeaning } from '../../model/identities/policy-meaning.ts'
import type { Role } from '../../model/identities/principal.ts'
import { shownPolicy } from '../../model/keys/policy-principals.ts'
import { findPartition } from '../../model/partitions.ts'
import type { Changes, Storage } from '../../services.ts'
import { differencesOf } from './differences.ts'
import { FutureIdentities } from './future-identities.ts'
import type { Entry, IdentityKind } from './identity-schema.ts'
import { type IdentityRecords, type Kind, kinds, nameOf, pathOf } from './kinds.ts'

/** One identity that is going to change. */
export interface Step {
  /** `adopt`: nothing but its owner changes. */
  readonly action: 'add' | 'change' | 'adopt' | 'remove'
  readonly kind: IdentityKind | 'account'
  readonly account: string
  readonly name: string
  readonly arn: string
  /** Lines. */
  readonly differences: readonly string[]
}

type Identity = Exclude<IdentityRecords[IdentityKind], { readonly url: string }>

interface Put<K extends IdentityKind> {
  readonly kind: K
  readonly record: IdentityRecords[K]
  readonly existing: IdentityRecords[K] | undefined
}

/**
 * Changes of identities, which are checked together: in whichever order they are made, what they refer to must exist in the end. Every
 * method throws a Failure that names the identity.
 */
export class IdentityPlan {
  readonly steps: Step[] = []
  readonly #storage: Storage
  readonly #now: number
  readonly #future: FutureIdentities
  readonly #accounts: Account[] = []
  /** Roles that are put as they are. */
  readonly #kept: Put<'role'>[] = []
  #records: readonly Pick<Put<IdentityKind>, 'kind' | 'record'>[] | undefined
  readonly #puts: Put<IdentityKind>[] = []
  readonly #removals: { readonly kind: IdentityKind; readonly record: IdentityRecords[IdentityKind] }[] = []

  /** @param now milliseconds since the epoch */
  constructor(storage: Storage, now: number) {
    this.#storage = storage
    this.#now = now
    this.#future = new FutureIdentities(storage)
  }

  /** Creates an identity, or makes it what is given. Nothing changes if it is that already. */
  put<K extends IdentityKind>(kind: K, account: string, name: string, entry: Entry<K>, owner?: Owner): void {
    const { find, record: recordOf, entry: entryOf }: Kind<K> = kinds[kind]
    const existing = find(account, name, this.#storage)
    const label = `${kind} ${name} of account ${account}`
    const holder = existing ? nameOf(existing) : this.#future.nameHeld(kind, account, name)
    if (holder !== undefined && holder !== name) {
      throw new Failure('AlreadyExists', `${label}: there is ${holder}, and names must differ in more than case`)
    }
    const made = within(label, () => recordOf({ account, name, entry, existing, owner, now: this.#now }))
    if (existing && kind !== 'oidcProvider' && pathOf({ arn: made.arn, name }) !== pathIn(entry)) {
      throw new Failure('Validation', `${label}: its path cannot be changed: remove it and create it again`)
    }
    const differences = existing
      ? within(label, () => differencesOf(entryOf(existing, this.#storage), entryOf(made, this.#storage)))
      : []
    if (existing && differences.length === 0 && existing.owner === owner) {
      if (kind === 'role') this.#kept.push({ kind, record: made, existing } as Put<'role'>)
      return
    }
    const record = existing && differences.length === 0 ? { ...existing, owner } : made
    const action = !existing ? 'add' : differences.length === 0 ? 'adopt' : 'change'
    this.#puts.push({ kind, record, existing })
    if (!('url' in record)) this.#future.put(kind, record)
    this.steps.push({ action, kind, account, name, arn: record.arn, differences })
  }

  /** @param withAccessKeys whether a user may still have access keys, which are removed with it */
  remove(kind: IdentityKind, account: string, name: string, { withAccessKeys = false } = {}): void {
    const record = kinds[kind].find(account, name, this.#storage)
    if (!record || nameOf(record) !== name) throw new Failure('NotFound', `no ${kind} ${name} in account ${account}`)
    const keys = this.#storage.accessKeys.ofPrincipal(record.arn).length
    if (keys > 0 && !withAccessKeys) {
      throw new Failure(
        'Validation',
        `${kind} ${name} of account ${account} has ${keys === 1 ? '1 access key: delete it' : `${keys} access keys: delete them`} first`,
      )
    }
    const service = this.#storage.services.ofUser(record.arn)
    if (service)
      throw new Failure(
        'Validation',
        `${kind} ${name} of account ${account} is ${service.name}: delete the service first`,
      )
    this.#removals.push({ kind, record })
    if (!('url' in record)) this.#future.remove(record)
    const differences = keys > 0 ? [`with ${keys} access ${keys === 1 ? 'key' : 'keys'}`] : []
    this.steps.push({ action: 'remove', kind, account, name, arn: record.arn, differences })
  }

  /** Creates an account, or gives it a name. */
  putAccount(id: string, name: string | undefined, owner?: Owner): void {
    const existing = this.#storage.accounts.find(id)
    const isSame = existing && existing.name === name && existing.owner === owner
    if (isSame) return
    const { createdAt, revision } = existing ?? { createdAt: this.#now, revision: 0 }
    this.#accounts.push({ id, name, createdAt, owner, revision })
    const action = !existing ? 'add' : existing.name === name ? 'adopt' : 'change'
    const differences = action === 'change' ? differencesOf({ name: existing!.name }, { name }) : []
    this.steps.push({
      action,
      kind: 'account',
      account: id,
      name: id,
      arn: principalArn('aws', id, 'root'),
      differences,
    })
  }

  /** Throws a Failure for what must not be. */
  check(): void {
    this.#checkedRecords()
  }

  /** Checks everything, and adds it to the changes of a request. */
  commitTo(changes: Changes): void {
    const records = this.#checkedRecords()
    for (const account of this.#accounts) changes.put('accounts', account)
    for (const { kind, record } of records) changes.put(kinds[kind].noun, record)
    this.#holdReferences(changes)
    for (const { kind, record } of this.#removals) {
      for (const accessKey of this.#storage.accessKeys.ofPrincipal(record.arn)) changes.remove('accessKeys', accessKey)
      changes.remove(kinds[kind].noun, record)
    }
  }

  /** Once, as it may add steps. */
  #checkedRecords(): readonly Pick<Put<IdentityKind>, 'kind' | 'record'>[] {
    this.#records ??= this.#check()
    return this.#records
  }

  #check() {
    this.#checkAccounts()
    const records = this.#puts.map(put => ({
      kind: put.kind,
      record: within(labelOf(put), () => this.#checked(put)),
    }))
    for (const kept of this.#kept) within(labelOf(kept), () => this.#trustOf(kept.record, kept.existing))
    this.#checkRemovals()
    return records
  }

  #checkAccounts(): void {
    const known = new Set([...this.#storage.accounts.all(), ...this.#accounts].map(({ id }) => id))
    const put = this.#puts.find(({ record }) => !known.has(record.account))
    if (put) throw new Failure('Validation', `there is no account ${put.record.account}: create it first`)
  }

  /** The record that is stored. */
  #checked({ kind, record, existing }: Put<IdentityKind>): IdentityRecords[IdentityKind] {
    if ('url' in record || kind === 'oidcProvider') return record
    const known = new Set(existing ? textsOf(existing) : [])
    // What is stored already outlives stricter rules.
    for (const text of textsOf(record)) if (!known.has(text)) checkIdentityPolicy(text)
    checkPolicySize(kind === 'policy' ? 'managed' : kind, textsOf(record))
    this.#checkReferences(record)
    return 'trustPolicy' in record ? { ...record, ...this.#trustOf(record, existing as Role | undefined) } : record
  }

  /** What is stored stays as long as it means the same: by their unique ids, it may name principals that are gone. */
  #trustOf({ trustPolicy }: Role, existing: Role | undefined): Pick<Role, 'trustPolicy' | 'trustPrincipals'> {
    if (existing) {
      const { trustPolicy: stored, trustPrincipals } = existing
      const shown = shownPolicy(stored, trustPrincipals, 'aws', this.#future)
      if (policyMeaning(shown) === policyMeaning(trustPolicy)) return { trustPolicy: stored, trustPrincipals }
    }
    return { trustPolicy, trustPrincipals: checkTrustPolicy(trustPolicy, findPartition(''), this.#future) }
  }

  #checkReferences(record: Identity): void {
    for (const arn of policiesOf(record)) {
      if (awsManagedPolicy(arn) === undefined && !this.#future.managedPolicy(arn)) {
        throw new Failure('Validation', `there is no managed policy ${arn}`)
      }
    }
    for (const name of groupsOf(record)) {
      if (!this.#future.group(record.account, name)) throw new Failure('Validation', `there is no group ${name}`)
    }
  }

  /** Puts again what is newly referred to, and accounts that get something, so that their removal at the same time is a conflict. */
  #holdReferences(changes: Changes): void {
    const { accounts, managedPolicies, groups } = this.#storage
    const held = new Set(changes.list.map(({ record }) => record as object))
    const added = new Set(this.#puts.flatMap(({ record, existing }) => (existing ? [] : [record.account])))
    for (const id of added) {
      const account = accounts.find(id)
      if (account && !this.#accounts.some(changed => changed.id === id)) changes.put('accounts', account)
    }
    for (const { record } of this.#puts) {
      const policies = policiesOf(record).map(arn => ['managedPolicies', managedPolicies.find(arn)] as const)
      const ofUser = groupsOf(record).map(name => ['groups', groups.named(record.account, name)] as const)
      for (const [noun, referred] of [...policies, ...ofUser]) {
        if (!referred || held.has(referred) || this.#isChanged(referred.arn)) continue
        held.add(referred)
        changes.put(noun, referred)
      }
    }
  }

  #isChanged(arn: string): boolean {
    return this.#puts.some(({ record }) => record.arn === arn)
  }

  #checkRemovals(): void {
    for (const { kind, record } of this.#removals) {
      if (kind !== 'policy' && kind !== 'group') continue
      const user = this.#future.unchanged(record.account).find(other => {
        return kind === 'policy' ? policiesOf(other).includes(record.arn) : groupsOf(other).includes(nameOf(record))
      })
      if (!user) continue
      throw new Failure('Validation', `${labelOf({ kind, record })} cannot be removed: ${user.arn} has it`)
    }
  }
}

function labelOf({ kind, record }: Pick<Put<IdentityKind>, 'kind' | 'record'>): string {
  return `${kind} ${nameOf(record)} of account ${record.account}`
}

/** Adds what a failure is about. */
function within<T>(label: string, work: () => T): T {
  try {
    return work()
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown
    throw new Failure(thrown.code, `${label}: ${thrown.message}`, { cause: thrown })
  }
}

/** Identity-based policies that it holds itself. */
function textsOf(record: IdentityRecords[IdentityKind]): readonly string[] {
  if ('url' in record) return []
  return 'document' in record ? [record.document] : record.inlinePolicies.map(({ document }) => document)
}

function policiesOf(record: IdentityRecords[IdentityKind]): readonly string[] {
  if ('document' in record || 'url' in record) return []
  const boundary = 'permissionsBoundary' in record ? record.permissionsBoundary : undefined
  return boundary === undefined ? record.managedPolicies : [...record.managedPolicies, boundary]
}

function groupsOf(record: IdentityRecords[IdentityKind]): readonly string[] {
  return 'groups' in record ? record.groups : []
}

function pathIn(entry: object): string {
  return (entry as { readonly path?: string }).path ?? '/'
}
