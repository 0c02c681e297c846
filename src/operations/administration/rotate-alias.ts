import { z } from 'zod'
import { Failure } from '../../errors.ts'
import { type Alias, checkAliasCount, pointedAt } from '../../model/keys/alias.ts'
import { currentMaterial, type Key } from '../../model/keys/key.ts'
import { checkState, isPendingDeletion, keyState } from '../../model/keys/key-state.ts'
import type { Storage } from '../../services.ts'
import { destroyUncommitted } from '../../vault/materials.ts'
import { checkSuccessors, createSuccessors, succeededWith } from '../../vault/successor-keys.ts'
import type { Context } from '../operation.ts'
import { type AliasTarget, aliasSchema, aliasTarget, type ShownKey, shownKey } from './aliases.ts'
import { operation } from './operation.ts'

export interface RotatedAlias {
  readonly aliasArn: string
  /** The key that the alias had until now. */
  readonly formerKeyArn: string
  readonly formerKey: ShownKey
  /** ARNs of the new key, and of its related multi-Region keys, that wait for the import of their key material. */
  readonly pendingImport: readonly string[]
  /** ARNs of aliases of the same name that name its related multi-Region keys, and are to be rotated, too. */
  readonly aliasesElsewhere: readonly string[]
  /** Names of its other aliases, which stay where they are. */
  readonly otherAliases: readonly string[]
  /** Absent in a dry run that would create it. */
  readonly newKeyArn?: string
  readonly newKey?: ShownKey
  /** By this call, not by an earlier one. */
  readonly created: boolean
  /** Whether the alias names the new key, or would after a dry run. */
  readonly moved: boolean
}

const schema = aliasSchema.extend({ dryRun: z.boolean().default(false) })

/**
 * Manual rotation: points an alias at a new key that is like its present one, in the commit that creates the key. A key with imported key
 * material is created first, and takes the place once its material is there, when this is asked for again. A multi-Region key gets a
 * successor with the same regions, so that what is made with it can be used in all of them; aliases of the same name there are moved to it
 * when this is asked for in their region.
 */
export const rotateAlias = operation({
  name: 'RotateAlias',
  schema,
  target: aliasTarget,
  recorded: ['alias', 'account', 'region', 'dryRun'],
  recordedOutput: ['aliasArn', 'formerKeyArn', 'newKeyArn', 'moved'],
  async run(context): Promise<RotatedAlias> {
    const { alias, key } = context.target
    const { storage } = context
    if (key.manager)
      throw new Failure(
        'NotAuthorized',
        `the key of ${alias.name} is managed by ${key.manager.service}: only automatic rotation changes it`,
      )
    const waiting = successorOf(alias, storage)
    return {
      aliasArn: alias.arn,
      formerKeyArn: key.arn,
      formerKey: shownKey(key, storage),
      aliasesElsewhere: aliasesElsewhere(alias, storage).map(({ arn }) => arn),
      otherAliases: storage.aliases.ofKey(key.arn).flatMap(({ name }) => (name === alias.name ? [] : [name])),
      ...(waiting ? moveTo(waiting, context) : await replaceKey(context)),
    }
  },
  undo: destroyUncommitted,
})

type Rotation = Context<z.infer<typeof schema>, AliasTarget>
type NewKey = Pick<RotatedAlias, 'newKeyArn' | 'newKey' | 'created' | 'moved' | 'pendingImport'>

/** To a key that an earlier call has created, if its key material is there. */
function moveTo(successor: Key, { input, target: { alias }, storage, clock, changes }: Rotation): NewKey {
  const pendingImport = pendingImportOf(successor, storage)
  const moved = pendingImport.length === 0
  if (moved) checkReady(successor, storage)
  if (moved && !input.dryRun) {
    changes.put('keys', successor)
    changes.put('aliases', pointedAt(alias, successor.arn, clock()))
  }
  return { newKeyArn: successor.arn, newKey: shownKey(successor, storage), created: false, moved, pendingImport }
}

async function replaceKey(context: Rotation): Promise<NewKey> {
  const { input, target, storage, clock, changes } = context
  const { alias, key } = target
  // Throws for a key that never had key material, and needs no other.
  currentMaterial(key)
  const former = succeededWith(key, storage)
  checkSuccessors(former, context)
  const moved = key.origin !== 'EXTERNAL'
  if (input.dryRun) return { created: true, moved, pendingImport: [] }
  const successors = await createSuccessors(former, context)
  for (const successor of successors) changes.put('keys', successor)
  // A change of an old key meanwhile would be missing in the new one: of the two, one is decided again.
  for (const one of former) changes.put('keys', one)
  const next = successors[0]!
  changes.put('aliases', moved ? pointedAt(alias, next.arn, clock()) : { ...alias, successorKeyArn: next.arn })
  for (const waiting of aliasesElsewhere(alias, storage)) {
    const successor = successors.find(({ region }) => region === waiting.region)
    if (successor) changes.put('aliases', { ...waiting, successorKeyArn: successor.arn })
  }
  const pendingImport = moved ? [] : successors.map(({ arn }) => arn)
  return { newKeyArn: next.arn, newKey: shownKey(next, storage), created: true, moved, pendingImport }
}

/** Of related multi-Region keys, with the same name. */
function aliasesElsewhere({ name, targetKeyArn }: Alias, { aliases, keys }: Storage): readonly Alias[] {
  const related = keys.related(keys.find(targetKeyArn)!)
  return related.flatMap(({ arn }) => aliases.ofKey(arn)).filter(alias => alias.name === name)
}

/** The key that an earlier call created, unless it is to be deleted. */
function successorOf({ successorKeyArn }: Alias, { keys }: Storage): Key | undefined {
  const successor = successorKeyArn === undefined ? undefined : keys.find(successorKeyArn)
  return successor && isPendingDeletion(successor) ? undefined : successor
}

/** ARNs of the key and its related keys whose key material is missing, its own first. */
function pendingImportOf(successor: Key, { keys, customKeyStores }: Storage): readonly string[] {
  const waiting = (key: Key) => keyState(key, customKeyStores.ofKey(key)) === 'PendingImport'
  return [successor, ...keys.related(successor)].filter(waiting).map(({ arn }) => arn)
}

/** Throws if callers could not use it, or it can have no other alias. */
function checkReady(successor: Key, { aliases, customKeyStores }: Storage): void {
  checkState(successor, 'use', customKeyStores.ofKey(successor))
  checkAliasCount(aliases.ofKey(successor.arn).length)
}
