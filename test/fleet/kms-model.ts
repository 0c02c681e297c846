/**
 * Keys, aliases, key policies and grants as KMS specifies them, one request at a time: a specification for linearizability.ts. The
 * objects of one state depend on each other, and on no others.
 */
import type { Model } from './linearizability.ts'

/** Callers: one whom identity policies allow everything, and a user whom only a key policy or a grant allows anything. */
export type Caller = 'administrator' | 'user'

/** Keys, aliases and grants by names of the test: `k1`, `alias/a1`, `g1`. A grant is created once at most. */
export type Request = Use | Transition | PolicyChange | Listing | AliasChange | GrantChange

interface Use {
  readonly name: 'DescribeKey' | 'Encrypt' | 'Decrypt'
  /** Or an alias. */
  readonly key: string
  readonly by: Caller
}
interface Transition {
  readonly name: 'EnableKey' | 'DisableKey' | 'ScheduleKeyDeletion' | 'CancelKeyDeletion'
  readonly key: string
}
interface PolicyChange {
  readonly name: 'PutKeyPolicy'
  readonly key: string
  /** Whether it allows the user to use the key. */
  readonly allows: boolean
}
interface Listing {
  readonly name: 'GetKeyPolicy' | 'ListGrants' | 'ListAliases'
  readonly key: string
}
interface AliasChange {
  readonly name: 'CreateAlias' | 'UpdateAlias' | 'DeleteAlias'
  readonly alias: string
  /** Its new one; of DeleteAlias: any. */
  readonly key: string
}
interface GrantChange {
  readonly name: 'CreateGrant' | 'RevokeGrant' | 'RetireGrant'
  readonly grant: string
  readonly key: string
  readonly by: Caller
}

interface Key {
  readonly state: 'Enabled' | 'Disabled' | 'PendingDeletion'
  /** Whether the key policy allows the user to use the key. */
  readonly allows: boolean
}

export interface State {
  readonly keys: Readonly<Record<string, Key>>
  /** Aliases, and their keys. */
  readonly aliases: Readonly<Record<string, string>>
  /** Grants to the user, and their keys. */
  readonly grants: Readonly<Record<string, string>>
}

interface Applied {
  readonly output: string
  readonly next: State
}

/** @param keys names of new keys, whose policy does not allow the user anything */
export function kmsModel(keys: readonly string[]): Model<State, Request> {
  const fresh: Key = { state: 'Enabled', allows: false }
  return {
    initial: { keys: Object.fromEntries(keys.map(key => [key, fresh])), aliases: {}, grants: {} },
    apply,
    isRead: ({ name }) => reads.has(name),
    encode,
  }
}

const reads: ReadonlySet<Request['name']> = new Set([
  'DescribeKey',
  'Encrypt',
  'Decrypt',
  'GetKeyPolicy',
  'ListGrants',
  'ListAliases',
])

function encode({ keys, aliases, grants }: State): string {
  const sorted = (record: object) => Object.entries(record).sort(([one], [other]) => (one < other ? -1 : 1))
  const ofKeys = sorted(keys).map(([, { state, allows }]) => state[0] + (allows ? '+' : '-'))
  return `${ofKeys.join('')} ${sorted(aliases).join()} ${sorted(grants).join()}`
}

function apply(state: State, request: Request): Applied {
  switch (request.name) {
    case 'DescribeKey':
    case 'Encrypt':
    case 'Decrypt':
      return { output: use(state, request), next: state }
    case 'GetKeyPolicy':
      return { output: state.keys[request.key]!.allows ? 'allows' : 'does not allow', next: state }
    case 'ListGrants':
      return { output: list(state.grants, request.key), next: state }
    case 'ListAliases':
      return { output: list(state.aliases, request.key), next: state }
    case 'PutKeyPolicy':
      return withKey(state, request.key, { allows: request.allows })
    case 'EnableKey':
      return transition(state, request.key, 'Enabled')
    case 'DisableKey':
      return transition(state, request.key, 'Disabled')
    case 'ScheduleKeyDeletion':
      return transition(state, request.key, 'PendingDeletion')
    case 'CancelKeyDeletion':
      if (isPending(state, request.key)) return withKey(state, request.key, { state: 'Disabled' })
      return { output: invalidState, next: state }
    case 'CreateAlias':
    case 'UpdateAlias':
    case 'DeleteAlias':
      return applyAlias(state, request)
    default:
      return applyGrant(state, request)
  }
}

const invalidState = 'KMSInvalidStateException'

/** What lists answer: names of the test, in their order. */
export function listed(names: readonly string[]): string {
  return [...names].sort().join(' ')
}

function list(objects: Readonly<Record<string, string>>, key: string): string {
  return listed(Object.keys(objects).filter(name => objects[name] === key))
}

/** Uses answer the key that an alias led to, too. */
function use({ keys, aliases, grants }: State, request: Use): string {
  const { name, by } = request
  const key = request.key.startsWith('alias/') ? aliases[request.key] : request.key
  if (key === undefined) return 'NotFoundException'
  const { state, allows } = keys[key]!
  if (by === 'user' && !allows && list(grants, key) === '') return 'AccessDeniedException'
  if (name === 'DescribeKey') return `${key} ${state}`
  if (state === 'Enabled') return key
  return state === 'Disabled' ? 'DisabledException' : invalidState
}

function isPending({ keys }: State, key: string): boolean {
  return keys[key]!.state === 'PendingDeletion'
}

function transition(state: State, key: string, to: Key['state']): Applied {
  return isPending(state, key) ? { output: invalidState, next: state } : withKey(state, key, { state: to })
}

function withKey(state: State, key: string, change: Partial<Key>): Applied {
  return { output: 'ok', next: { ...state, keys: { ...state.keys, [key]: { ...state.keys[key]!, ...change } } } }
}

function applyAlias(state: State, { name, alias, key }: AliasChange): Applied {
  const { [alias]: current, ...others } = state.aliases
  if (name !== 'CreateAlias' && current === undefined) return { output: 'NotFoundException', next: state }
  if (name === 'DeleteAlias') return { output: 'ok', next: { ...state, aliases: others } }
  if (isPending(state, key)) return { output: invalidState, next: state }
  if (name === 'CreateAlias' && current !== undefined) return { output: 'AlreadyExistsException', next: state }
  return { output: 'ok', next: { ...state, aliases: { ...others, [alias]: key } } }
}

function applyGrant(state: State, { name, grant, key, by }: GrantChange): Applied {
  const { [grant]: current, ...others } = state.grants
  if (name === 'CreateGrant') {
    const keyState = state.keys[key]!.state
    if (keyState === 'Enabled') return { output: 'ok', next: { ...state, grants: { ...state.grants, [grant]: key } } }
    return { output: keyState === 'Disabled' ? 'DisabledException' : invalidState, next: state }
  }
  if (current !== undefined) return { output: 'ok', next: { ...state, grants: others } }
  return { output: by === 'user' ? 'AccessDeniedException' : 'NotFoundException', next: state }
}
