import { asciiLowerCase } from '../../model/ascii.ts'
import type { Group } from '../../model/identities/group.ts'
import type { ManagedPolicy } from '../../model/identities/policy.ts'
import type { Principal } from '../../model/identities/principal.ts'
import type { Principals } from '../../model/identities/principals.ts'
import type { Storage } from '../../services.ts'

type Identity = Principal | Group | ManagedPolicy

/** The identities as they will be: those in storage, with changes that are not committed yet. */
export class FutureIdentities implements Principals {
  readonly #storage: Storage
  /** By ARN; undefined for one that is removed. */
  readonly #changed = new Map<string, Identity | undefined>()
  readonly #byName = new Map<string, Identity>()
  readonly #byId = new Map<string, Principal>()

  constructor(storage: Storage) {
    this.#storage = storage
  }

  put(kind: string, identity: Identity): void {
    this.#changed.set(identity.arn, identity)
    this.#byName.set(nameIn(identity.account, kind, identity.name), identity)
    if ('principalId' in identity) this.#byId.set(identity.principalId, identity)
  }

  remove({ arn }: Identity): void {
    this.#changed.set(arn, undefined)
  }

  find(arn: string): Principal | undefined {
    return this.#now(arn, this.#storage.principals.find(arn))
  }

  withId(principalId: string): Principal | undefined {
    const stored = this.#storage.principals.withId(principalId)
    return this.#byId.get(principalId) ?? (stored && this.find(stored.arn))
  }

  named(account: string, type: Principal['type'], name: string): Principal | undefined {
    const found = this.#named(account, type, name, this.#storage.principals.holding(account, type, name))
    return found?.name === name ? found : undefined
  }

  /** Whether all are gone makes no difference here. */
  isKnown(account: string): boolean {
    return this.#storage.principals.isKnown(account) || [...this.#byId.values()].some(one => one.account === account)
  }

  managedPolicy(arn: string): ManagedPolicy | undefined {
    return this.#now(arn, this.#storage.managedPolicies.find(arn))
  }

  group(account: string, name: string): Group | undefined {
    return this.#named(account, 'group', name, this.#storage.groups.named(account, name))
  }

  /** How the name of a new or changed identity is written, if it differs at most in case. */
  nameHeld(kind: string, account: string, name: string): string | undefined {
    return this.#byName.get(nameIn(account, kind, name))?.name
  }

  /** Users, roles and groups that are not changed. */
  unchanged(account: string): readonly (Principal | Group)[] {
    const { principals, groups } = this.#storage
    const all = [...principals.ofAccount(account), ...groups.ofAccount(account)]
    return all.filter(({ arn }) => !this.#changed.has(arn))
  }

  #now<I extends Identity>(arn: string, stored: I | undefined): I | undefined {
    return this.#changed.has(arn) ? (this.#changed.get(arn) as I | undefined) : stored
  }

  #named<I extends Identity>(account: string, kind: string, name: string, stored: I | undefined): I | undefined {
    const put = this.#byName.get(nameIn(account, kind, name)) as I | undefined
    return put ?? (stored && this.#now(stored.arn, stored))
  }
}

function nameIn(account: string, kind: string, name: string): string {
  return `${account}/${kind}/${asciiLowerCase(name)}`
}
