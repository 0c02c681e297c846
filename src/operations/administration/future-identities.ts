import { asciiLowerCase } from '../../model/ascii.ts'
import type { Group } from '../../model/identities/group.ts'
import type { ManagedPolicy } from '../../model/identities/policy.ts'
import type { Principal } from '../../model/identities/principal.ts'
import type { Principals } from '../../model/identities/principals.ts'
import type { Changes, Storage } from '../../services.ts'

interface Nouns {
  readonly principals: Principal
  readonly groups: Group
  readonly managedPolicies: ManagedPolicy
}
type IdentityNoun = keyof Nouns

/** The identities as they will be: those in storage, with changes that are not committed yet. */
export class FutureIdentities implements Principals {
  readonly #storage: Storage
  /** By ARN; undefined for one that is removed. */
  readonly #changed: { readonly [N in IdentityNoun]: Map<string, Nouns[N] | undefined> } = {
    principals: new Map(),
    groups: new Map(),
    managedPolicies: new Map(),
  }

  /** @param changes those of identities; others are ignored */
  constructor(storage: Storage, { list }: Changes) {
    this.#storage = storage
    for (const { noun, action, record } of list) {
      if (noun !== 'principals' && noun !== 'groups' && noun !== 'managedPolicies') continue
      const changed = this.#changed[noun] as Map<string, unknown>
      changed.set(record.arn, action === 'put' ? record : undefined)
    }
  }

  find(arn: string): Principal | undefined {
    return this.#now('principals', arn, this.#storage.principals.find(arn))
  }

  withId(principalId: string): Principal | undefined {
    const added = [...this.#changed.principals.values()].find(principal => principal?.principalId === principalId)
    const stored = this.#storage.principals.withId(principalId)
    return added ?? (stored && this.find(stored.arn))
  }

  named(account: string, type: Principal['type'], name: string): Principal | undefined {
    return this.principalsOf(account).find(principal => principal.type === type && principal.name === name)
  }

  isKnown(account: string): boolean {
    return this.principalsOf(account).length > 0
  }

  managedPolicy(arn: string): ManagedPolicy | undefined {
    return this.#now('managedPolicies', arn, this.#storage.managedPolicies.find(arn))
  }

  /** Of an account, by its name without regard to case. */
  managedPolicyNamed(account: string, name: string): ManagedPolicy | undefined {
    return this.#named('managedPolicies', account, name, this.#storage.managedPolicies.named(account, name))
  }

  group(account: string, name: string): Group | undefined {
    return this.#named('groups', account, name, this.#storage.groups.named(account, name))
  }

  principalsOf(account: string): readonly Principal[] {
    return this.#all('principals', account, this.#storage.principals.ofAccount(account))
  }

  groupsOf(account: string): readonly Group[] {
    return this.#all('groups', account, this.#storage.groups.ofAccount(account))
  }

  #now<N extends IdentityNoun>(noun: N, arn: string, stored: Nouns[N] | undefined): Nouns[N] | undefined {
    const changed = this.#changed[noun] as Map<string, Nouns[N] | undefined>
    return changed.has(arn) ? changed.get(arn) : stored
  }

  #named<N extends IdentityNoun>(
    noun: N,
    account: string,
    name: string,
    stored: Nouns[N] | undefined,
  ): Nouns[N] | undefined {
    const isIt = (one: Nouns[N] | undefined) =>
      one?.account === account && asciiLowerCase(one.name) === asciiLowerCase(name)
    const changed = this.#changed[noun] as Map<string, Nouns[N] | undefined>
    return [...changed.values()].find(isIt) ?? (stored && this.#now(noun, stored.arn, stored))
  }

  #all<N extends IdentityNoun>(noun: N, account: string, stored: readonly Nouns[N][]): readonly Nouns[N][] {
    const changed = this.#changed[noun] as Map<string, Nouns[N] | undefined>
    const kept = stored.filter(({ arn }) => !changed.has(arn))
    return [...kept, ...[...changed.values()].filter(one => one?.account === account)] as Nouns[N][]
  }
}
