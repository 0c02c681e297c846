import { Failure } from '../../errors.ts'
import { isPredefinedAlias } from './service-keys.ts'

/** A name of a key in the same account and region. */
export interface Alias {
  readonly arn: string
  /** With its `alias/` prefix. */
  readonly name: string
  readonly account: string
  readonly region: string
  readonly targetKeyArn: string
  /** The keys that it named before, the latest last; without its present one. Absent if it never named another. */
  readonly formerKeys?: readonly FormerKey[] | undefined
  /** The key that is to take the place of its present one, and waits for its key material to be imported. */
  readonly successorKeyArn?: string | undefined
  readonly creationDate: number
  readonly lastUpdatedDate: number
  readonly revision: number
}

/** KMS Developer Guide, "Resource quotas". */
export const maximumAliases = 50

/** Throws LimitExceeded if a key with so many aliases cannot have another one. */
export function checkAliasCount(usage: number): void {
  if (usage < maximumAliases) return
  const text = `Aliases per key quota for this account in this region is ${maximumAliases}, current usage is ${usage}.`
  throw new Failure('LimitExceeded', text)
}

export interface FormerKey {
  readonly keyArn: string
  /** When the alias was moved to another key. */
  readonly until: number
}

/** Older ones are forgotten: a caller may move an alias as often as it likes. */
export const maximumFormerKeys = 100

/** The alias after it was pointed at a key, perhaps the same one. */
export function pointedAt(alias: Alias, keyArn: string, now: number): Alias {
  const { targetKeyArn, formerKeys = [] } = alias
  if (keyArn === targetKeyArn) return { ...alias, lastUpdatedDate: now }
  const others = formerKeys.filter(former => former.keyArn !== keyArn && former.keyArn !== targetKeyArn)
  return {
    ...alias,
    targetKeyArn: keyArn,
    formerKeys: [...others, { keyArn: targetKeyArn, until: now }].slice(-maximumFormerKeys),
    successorKeyArn: undefined,
    lastUpdatedDate: now,
  }
}

/**
 * Throws for a name that is reserved or has characters that are not allowed. The pattern of the model, checked before, allows more than the
 * documentation: KMS API Reference, "CreateAlias".
 */
export function checkAliasName(name: string): void {
  if (!name.startsWith('alias/')) {
    const page = 'https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html'
    throw new Failure('Validation', `Alias must start with the prefix "alias/". Please see ${page}`)
  }
  if (isPredefinedAlias(name)) throw new Failure('NotAuthorized')
  if (name === 'alias/') throw new Failure('InvalidAliasName')
  if (name.includes(':')) {
    throw new Failure('Validation', `${name} contains invalid characters for an alias`)
  }
}
