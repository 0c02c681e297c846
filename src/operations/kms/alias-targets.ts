import { Failure } from '../../errors.ts'
import { aliasArn } from '../../model/arn.ts'
import { type Alias, checkAliasName } from '../../model/keys/alias.ts'
import type { Key } from '../../model/keys/key.ts'
import type { Permission, Search, Target, TargetKind } from '../operation.ts'
import { type KeyTarget, keyTarget } from './targets.ts'

/** Targets of alias operations: aliases and their keys. */

interface AliasInput {
  readonly AliasName: string
}

export interface AliasTarget extends Target {
  readonly alias: Alias
  /** The key of the alias. */
  readonly key: Key
}

/** An existing alias, and its key. */
export const alias: TargetKind<AliasInput, AliasTarget> = {
  find: (input, search) => aliasTarget(input.AliasName, search),
}

export interface NewAliasTarget extends KeyTarget {
  readonly aliasArn: string
}

/** A new alias name, and the key that it will refer to. */
export const newAlias: TargetKind<AliasInput & { readonly TargetKeyId: string }, NewAliasTarget> = {
  find(input, search) {
    const arn = ownAliasArn(input.AliasName, search)
    const target = keyTarget(aliasTargetId(input.TargetKeyId), { state: 'modify' }, search)
    return withAlias(target, arn, search, () => {
      if (search.storage.aliases.find(arn)) {
        throw new Failure('AlreadyExists', `An alias with the name ${arn} already exists`)
      }
    })
  },
}

export interface AliasChangeTarget extends AliasTarget {
  /** The new key of the alias. */
  readonly newKey: Key
}

/** An existing alias, its key, and its new key. */
export const aliasChange: TargetKind<AliasInput & { readonly TargetKeyId: string }, AliasChangeTarget> = {
  find(input, search) {
    const old = aliasTarget(input.AliasName, search)
    const next = keyTarget(aliasTargetId(input.TargetKeyId), { state: 'modify' }, search)
    return {
      alias: old.alias,
      key: old.key,
      get newKey() {
        return next.key
      },
      permissions: [...old.permissions, ...next.permissions],
      resources: [...next.resources, ...old.resources],
      check: () => next.check(),
    }
  },
}

function ownAliasArn(name: string, { caller }: Search): string {
  checkAliasName(name)
  return aliasArn(caller, name)
}

function aliasTargetId(identifier: string): string {
  if (!/^(?:alias\/|arn:[^/]*:alias\/)/.test(identifier)) return identifier
  throw new Failure('Validation', 'Aliases must refer to keys. Not aliases')
}

function aliasTarget(name: string, search: Search): AliasTarget {
  const arn = ownAliasArn(name, search)
  const found = search.storage.aliases.find(arn)
  if (!found) throw new Failure('NotFound', `Alias ${arn} is not found.`)
  const target = keyTarget(found.targetKeyArn, { state: 'view' }, search)
  return { ...withAlias(target, arn, search), key: target.key, alias: found }
}

/** Alias operations need permission on the alias, by identity-based policies, and on its key. */
function withAlias(
  target: KeyTarget,
  arn: string,
  { caller, operation }: Search,
  checkName = () => {},
): NewAliasTarget {
  const permission: Permission = { action: operation, resource: arn, account: caller.account }
  return {
    get key() {
      return target.key
    },
    aliasArn: arn,
    permissions: [permission, ...target.permissions],
    resources: [...target.resources, arn],
    check() {
      target.check()
      checkName()
    },
  }
}
