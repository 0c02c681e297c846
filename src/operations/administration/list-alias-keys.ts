import { type KeyUse, trackingStartOf } from '../../model/keys/key-use.ts'
import type { Storage } from '../../services.ts'
import { aliasSchema, aliasTarget, type ShownKey, shownKey } from './aliases.ts'
import { operation } from './operation.ts'

/** A key that an alias names, named before, or will name. A deleted one has neither state nor last use. */
export interface AliasKey extends Partial<ShownKey> {
  readonly arn: string
  readonly role: 'current' | 'former' | 'successor'
  /** When the alias was pointed at another key: milliseconds since the epoch. */
  readonly until?: number
  /** As GetKeyLastUsage tells it. */
  readonly lastUse?: Pick<KeyUse, 'operation' | 'usedAt' | 'eventId'>
  /** Uses before are unknown: milliseconds since the epoch. */
  readonly trackedSince?: number
}

/** The keys of an alias: the one that waits to succeed, the present one, and the former ones, the latest first. */
export const listAliasKeys = operation({
  name: 'ListAliasKeys',
  readOnly: true,
  schema: aliasSchema,
  target: aliasTarget,
  recorded: ['alias', 'account', 'region'],
  async run({ target: { alias, key }, storage }) {
    const { formerKeys = [], successorKeyArn } = alias
    const keys: Pick<AliasKey, 'arn' | 'role' | 'until'>[] = [
      ...(successorKeyArn === undefined ? [] : [{ arn: successorKeyArn, role: 'successor' as const }]),
      { arn: key.arn, role: 'current' },
      ...formerKeys.toReversed().map(({ keyArn, until }) => ({ arn: keyArn, role: 'former' as const, until })),
    ]
    return { aliasArn: alias.arn, keys: await Promise.all(keys.map(named => withKey(named, storage))) }
  },
})

async function withKey(named: Pick<AliasKey, 'arn' | 'role' | 'until'>, storage: Storage): Promise<AliasKey> {
  const key = storage.keys.find(named.arn)
  if (!key) return named
  const { operation, usedAt, eventId } = (await storage.keys.lastUse(key.arn)) ?? {}
  const lastUse = usedAt === undefined ? {} : { lastUse: { operation: operation!, usedAt, eventId: eventId! } }
  const trackedSince = trackingStartOf(key, storage.trackingStart)
  return { ...named, ...shownKey(key, storage), ...lastUse, trackedSince }
}
