/** Metering: what audit records say about calls, and about the end of keys. */
import { type Calls, reEncryptFrom } from '../../model/usage/calls.ts'
import { isCopy } from '../copies.ts'
import type { AuditRecord } from '../entry.ts'
import { type KeyDeletion, keyDeletionIn } from './key-deletions.ts'

/** Calls of one day. */
export interface CallCount extends Calls {
  /** UTC, YYYY-MM-DD. */
  readonly day: string
}

/** Of a range of the journal. Can be cloned. */
export interface UsageRows {
  readonly calls: readonly CallCount[]
  /** In the order of the journal. */
  readonly deletions: readonly KeyDeletion[]
}

type Level<V> = Map<string, V>

/**
 * Counts the calls of APIs that use keys. Each call costs a few look-ups in maps, by texts that it shares with others, so that V8 has their hashes;
 * one look-up by a joined text would hash that anew for each call.
 */
export class UsageCounts {
  readonly #sources: readonly string[]
  /** By day, account, ARN of the key, operation and error code. */
  readonly #calls: Level<Level<Level<Level<Level<number>>>>> = new Map()
  readonly #deletions: KeyDeletion[] = []

  /** @param sources event sources of the APIs */
  constructor(sources: readonly string[]) {
    this.#sources = sources
  }

  add(record: AuditRecord): void {
    if (record.readOnly === false) this.#addDeletion(record)
    const { eventSource, eventType, eventTime, eventName: operation = '', errorCode = '' } = record
    if (eventType !== 'AwsApiCall' || !this.#sources.includes(eventSource) || isCopy(record)) return
    const ofAccount = at(at(this.#calls, eventTime.slice(0, 'YYYY-MM-DD'.length)), payerOf(record))
    const keys = countedKeys(record)
    const pairSpec = record.requestParameters?.keyPairSpec
    const named = typeof pairSpec === 'string' ? `${operation} ${pairSpec}` : operation
    if (operation === 'ReEncrypt' && keys.length > 1) increment(at(at(ofAccount, keys[0]!), reEncryptFrom), errorCode)
    const key = (operation === 'ReEncrypt' ? keys.at(-1) : keys[0]) ?? ''
    increment(at(at(ofAccount, key), named), errorCode)
  }

  get rows(): UsageRows {
    return { calls: [...this.#counts()], deletions: this.#deletions }
  }

  *#counts(): Generator<CallCount> {
    for (const [day, accounts] of this.#calls)
      for (const [account, keys] of accounts)
        for (const [keyArn, operations] of keys)
          for (const [named, errorCodes] of operations) {
            const [operation = '', pairSpec = ''] = named.split(' ')
            for (const [errorCode, calls] of errorCodes)
              yield { day, account, keyArn, operation, pairSpec, errorCode, calls }
          }
  }

  #addDeletion(record: AuditRecord): void {
    const deletion = keyDeletionIn(record)
    if (deletion) this.#deletions.push(deletion)
  }
}

function at<V>(level: Level<Level<V>>, name: string): Level<V> {
  let next = level.get(name)
  if (next === undefined) {
    next = new Map()
    level.set(name, next)
  }
  return next
}

function increment(counts: Level<number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}

/** AWS KMS pricing, "Key usage": the account that makes the request. A service has none. */
function payerOf({ recipientAccountId, userIdentity, resources }: AuditRecord): string {
  if (recipientAccountId !== undefined) return recipientAccountId
  return (userIdentity?.type === 'AWSService' && resources?.[0]?.accountId) || ''
}

/**
 * ARNs of the keys of a call, empty for one that may not exist: a call that names the key of another account is refused whether there is one
 * or not, and callers could fill the index with keys that they make up.
 */
function countedKeys({ resources = [], errorCode, recipientAccountId }: AuditRecord): readonly string[] {
  const mayBeMissing = errorCode === 'AccessDenied' || errorCode === 'NotFoundException'
  const keys: string[] = []
  for (const { ARN, accountId } of resources)
    if (ARN.includes(':key/')) keys.push(mayBeMissing && accountId !== recipientAccountId ? '' : ARN)
  return keys
}
