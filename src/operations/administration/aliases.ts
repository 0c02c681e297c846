import { z } from 'zod'
import { Failure } from '../../errors.ts'
import type { Alias } from '../../model/keys/alias.ts'
import type { Key } from '../../model/keys/key.ts'
import { type KeyState, keyState } from '../../model/keys/key-state.ts'
import type { Storage } from '../../services.ts'
import type { Target, TargetKind } from '../operation.ts'
import { accountOf } from './accounts.ts'
import { accountId, targetOf } from './operation.ts'

export const aliasSchema = z.strictObject({
  /** Its name, with the prefix `alias/`, or its ARN. */
  alias: z.string().regex(/^[\w:/-]{1,2048}$/, 'not the name or ARN of an alias'),
  account: accountId.optional(),
  region: z
    .string()
    .regex(/^[a-z\d-]{1,32}$/, 'not the name of a region')
    .optional(),
})

export type OfAlias = z.infer<typeof aliasSchema>

export interface AliasTarget extends Target {
  readonly alias: Alias
  /** Its present key. */
  readonly key: Key
}

export const aliasTarget: TargetKind<OfAlias, AliasTarget> = {
  find(input, { storage }) {
    const alias = aliasOf(input, storage)
    return { ...targetOf(alias.targetKeyArn, alias.arn), alias, key: storage.keys.find(alias.targetKeyArn)! }
  },
}

/** Account and region may be left out if they leave one alias. Throws NotFound, and Validation if there are several. */
function aliasOf({ alias, account, region }: OfAlias, storage: Storage): Alias {
  if (!alias.startsWith('arn:')) return aliasNamed(alias, accountOf({ account }, storage), region, storage)
  const found = storage.aliases.find(alias)
  if (!found) throw new Failure('NotFound', `there is no alias ${alias}`)
  if ((account ?? found.account) === found.account && (region ?? found.region) === found.region) return found
  throw new Failure('Validation', `${alias} is in account ${found.account} and region ${found.region}`)
}

function aliasNamed(name: string, account: string, region: string | undefined, { aliases }: Storage): Alias {
  if (!name.startsWith('alias/')) throw new Failure('Validation', 'the name of an alias begins with alias/')
  const found = aliases.named(account, name).filter(alias => region === undefined || alias.region === region)
  const [alias, ...others] = found
  if (alias && others.length === 0) return alias
  const place = region === undefined ? '' : ` in region ${region}`
  if (!alias) throw new Failure('NotFound', `account ${account} has no alias ${name}${place}`)
  const regions = found.map(({ region }) => region).sort()
  throw new Failure('Validation', `${name} is in several regions: name one of ${regions.join(', ')}`)
}

/** A key as it is shown to the operator. */
export interface ShownKey extends Pick<Key, 'arn' | 'spec' | 'usage' | 'origin' | 'creationDate' | 'deletionDate'> {
  readonly state: KeyState
  readonly grants: number
}

export function shownKey(key: Key, { grants, customKeyStores }: Storage): ShownKey {
  const { arn, spec, usage, origin, creationDate, deletionDate } = key
  const state = keyState(key, customKeyStores.ofKey(key))
  return { arn, spec, usage, origin, creationDate, deletionDate, state, grants: grants.count(arn) }
}
