/** Keys that calls on record can have, and for how long they exist. */
import type { Key } from '../../model/keys/key.ts'
import { isPendingDeletion } from '../../model/keys/key-state.ts'
import type { DeletedKey } from '../../model/usage/deleted-key.ts'
import type { KeyLife } from '../../model/usage/key-months.ts'
import type { CalledKey } from '../../model/usage/usage-report.ts'
import type { Storage } from '../../services.ts'

/** KMS API Reference, "ScheduleKeyDeletion", PendingWindowInDays. */
const defaultWaitingPeriod = 30 * 24 * 60 * 60 * 1000

export interface ChargedKey {
  readonly account: string
  readonly arn: string
  readonly life: KeyLife
}

export class KnownKeys {
  readonly #keys: Storage['keys']
  /** By ARN. */
  readonly #deleted: ReadonlyMap<string, DeletedKey>

  constructor({ keys }: Pick<Storage, 'keys'>, deletedKeys: readonly DeletedKey[]) {
    this.#keys = keys
    this.#deleted = new Map(deletedKeys.map(key => [key.keyArn, key]))
  }

  find(arn: string): CalledKey | undefined {
    const key = this.#keys.find(arn)
    if (key) return { spec: key.spec, isOwnedByService: key.manager?.owned === true }
    const former = this.#deleted.get(arn)?.key
    return former && { spec: former.spec, isOwnedByService: false }
  }

  /** Those of customers, in storage and deleted. @param account default: all */
  *charged(account: string | undefined): Generator<ChargedKey> {
    for (const key of account === undefined ? this.#keys.all() : this.#keys.ofAccount(account))
      if (!key.manager) yield { account: key.account, arn: key.arn, life: this.#lifeOf(key) }
    for (const { keyArn: arn, scheduledAt, deletedAt, key } of this.#deleted.values()) {
      const owner = arn.split(':')[4] ?? ''
      if (deletedAt === undefined || !key || (account !== undefined && owner !== account) || this.#keys.find(arn))
        continue
      yield { account: owner, arn, life: { ...key, endsAt: scheduledAt ?? deletedAt } }
    }
  }

  #lifeOf({ arn, creationDate, materials, state, deletionDate }: Key): KeyLife {
    const supposed = deletionDate && deletionDate - defaultWaitingPeriod
    return {
      createdAt: creationDate,
      rotatedAt: materials.flatMap(({ rotation }) => rotation?.date ?? []),
      // Without a record, as if it had been scheduled with the default waiting period.
      endsAt: isPendingDeletion({ state }) ? (this.#deleted.get(arn)?.scheduledAt ?? supposed) : undefined,
    }
  }
}
