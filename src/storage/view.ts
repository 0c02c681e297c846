/** All records in memory, for look-ups. */
import { asciiLowerCase } from '../model/ascii.ts'
import { claimsOf } from '../model/keys/custom-key-store.ts'
import {
  isMultiRegion,
  type Key,
  type KeyObject,
  materialsOf,
  nextExpiry,
  objectsOf,
  objectsOfSystemKey,
} from '../model/keys/key.ts'
import { rotationDate } from '../model/keys/rotation.ts'
import { DueDates } from './due-dates.ts'
import { GrantsView } from './grants-view.ts'
import type { SqlDatabase } from './sql-database.ts'
import type { Change, Noun, Records } from './storage.ts'
import type { RecordKey } from './tables/table.ts'
import { identityOf, keyOf } from './tables/tables.ts'

/** What a change is applied to. */
interface Shown<R> {
  put(record: R): void
  remove(record: R): void
}

/** A group in which a record is found, and its name there. */
interface Place {
  readonly group: string
  readonly member: string
}

/** Most groups have one member, and need no map. */
type Members<R> = (Pick<Place, 'member'> & { readonly record: R }) | Map<string, R>

/** The records of one noun by identity, and in groups. */
export class Collection<R> {
  readonly #identity: (record: R) => string
  readonly #places: (record: R) => readonly Place[]
  readonly #records = new Map<string, R>()
  readonly #groups = new Map<string, Members<R>>()

  constructor(identity: (record: R) => string, places: (record: R) => readonly Place[] = () => []) {
    this.#identity = identity
    this.#places = places
  }

  find(identity: string): R | undefined {
    return this.#records.get(identity)
  }

  findIn(group: string, member: string): R | undefined {
    const members = this.#groups.get(group)
    if (members instanceof Map) return members.get(member)
    return members?.member === member ? members.record : undefined
  }

  all(): readonly R[] {
    return [...this.#records.values()]
  }

  hasGroup(group: string): boolean {
    return this.#groups.has(group)
  }

  group(group: string): readonly R[] {
    const members = this.#groups.get(group)
    if (members === undefined) return []
    return members instanceof Map ? [...members.values()] : [members.record]
  }

  put(record: R): void {
    this.remove(record)
    this.#records.set(this.#identity(record), record)
    for (const { group, member } of this.#places(record)) {
      const members = this.#groups.get(group)
      if (members instanceof Map) members.set(member, record)
      else this.#groups.set(group, members ? bothOf(members, { member, record }) : { member, record })
    }
  }

  remove(record: R): void {
    const identity = this.#identity(record)
    const known = this.#records.get(identity)
    if (known === undefined) return
    this.#records.delete(identity)
    for (const { group, member } of this.#places(known)) {
      const members = this.#groups.get(group)
      if (members instanceof Map) members.delete(member)
      if (!(members instanceof Map) || members.size === 0) this.#groups.delete(group)
    }
  }
}

function bothOf<R>(...members: readonly Exclude<Members<R>, Map<string, R>>[]): Map<string, R> {
  return new Map(members.map(({ member, record }) => [member, record]))
}

function identity<N extends Noun>(noun: N): (record: Records[N]) => string {
  return record => identityOf(keyOf(noun, record))
}

/** Keys by region and material, by object, by what relates multi-Region keys, by custom key store, and by when something is due. */
class KeysView extends Collection<Key> {
  readonly deletions = new DueDates<Key>(({ state, deletionDate }) =>
    state === 'PendingDeletion' ? deletionDate : undefined,
  )
  readonly rotations = new DueDates<Key>(rotationDate)

  constructor() {
    super(identity('keys'), key => [
      ...materialsOf(key).map(({ id }) => ({ group: key.region, member: id })),
      ...objectsOf(key).map(({ id }) => ({ group: objectGroup(id), member: key.arn })),
      ...(isMultiRegion(key) ? [{ group: relatedGroup(key), member: key.arn }] : []),
      ...(nextExpiry(key) === undefined ? [] : [{ group: expiring, member: key.arn }]),
      ...(key.customKeyStoreId === undefined ? [] : [{ group: key.customKeyStoreId, member: key.arn }]),
    ])
  }

  override put(key: Key): void {
    super.put(key)
    this.deletions.add(key)
    this.rotations.add(key)
  }

  override remove(key: Key): void {
    const known = this.find(key.arn)
    super.remove(key)
    if (known === undefined) return
    this.deletions.delete(known)
    this.rotations.delete(known)
  }
}

export type View = { readonly [N in Exclude<Noun, 'keys' | 'grants'>]: Collection<Records[N]> } & {
  readonly keys: KeysView
  readonly grants: GrantsView
}

/** Of keys with imported material that expires: no region has this name. */
export const expiring = 'expiring'

/** In which wrapping keys are found by the ids of their objects: no ARN. */
export const byObject = 'object'

/** In which principals are found by their unique ids: no account has this name. */
export const byId = 'id'

/** In which custom key stores are found by what only one may have: no account and region have this name. */
export const byClaim = 'claim'

/** Keys with the same HSM object: nothing else has the name of 64 hexadecimal digits. */
export function objectGroup(object: string): string {
  return object
}

/** Related multi-Region keys: their ARNs differ in the region only. */
function relatedGroup({ arn, region }: Pick<Key, 'arn' | 'region'>): string {
  return arn.replace(`:${region}:`, '::')
}

/** In other regions. */
export function relatedTo(view: View, key: Pick<Key, 'id' | 'arn' | 'region'>): readonly Key[] {
  return isMultiRegion(key) ? view.keys.group(relatedGroup(key)).filter(({ arn }) => arn !== key.arn) : []
}

/** @param type and name of a principal, unique in its account without regard to case */
export function nameInAccount({ type, name }: Pick<Records['principals'], 'type' | 'name'>): string {
  return `${type}/${asciiLowerCase(name)}`
}

export function regionOf({ account, region }: Pick<Records['customKeyStores'], 'account' | 'region'>): string {
  return `${account}/${region}`
}

/**
 * Aliases are grouped by their key, principals by their account, services by their user, access keys by their principal, spare keys by HSM,
 * external keys by prefix.
 *
 * @param nouns whose records are read. Default: all
 */
export async function loadView(database: SqlDatabase, nouns?: readonly Noun[]): Promise<View> {
  const view: View = {
    keys: new KeysView(),
    aliases: new Collection(identity('aliases'), alias => [{ group: alias.targetKeyArn, member: alias.arn }]),
    grants: new GrantsView(),
    accounts: new Collection(identity('accounts')),
    managedPolicies: new Collection(identity('managedPolicies'), policy => [
      { group: policy.account, member: asciiLowerCase(policy.name) },
    ]),
    groups: new Collection(identity('groups'), group => [{ group: group.account, member: asciiLowerCase(group.name) }]),
    oidcProviders: new Collection(identity('oidcProviders'), ({ account, arn }) => [{ group: account, member: arn }]),
    principals: new Collection(identity('principals'), principal => [
      { group: principal.account, member: nameInAccount(principal) },
      { group: byId, member: principal.principalId },
    ]),
    services: new Collection(identity('services'), service => [{ group: service.userArn, member: '' }]),
    accessKeys: new Collection(identity('accessKeys'), key => [{ group: key.principalArn, member: key.id }]),
    systemKeys: new Collection(identity('systemKeys')),
    spareKeys: new Collection(identity('spareKeys'), ({ object }) => [{ group: object.hsm, member: object.id }]),
    wrappingKeys: new Collection(identity('wrappingKeys'), ({ keyArn, object }) => [
      { group: keyArn, member: object.id },
      { group: byObject, member: object.id },
    ]),
    customKeyStores: new Collection(identity('customKeyStores'), store => [
      { group: regionOf(store), member: store.id },
      ...claimsOf(store).map(({ value }) => ({ group: byClaim, member: value })),
    ]),
    destructions: new Collection(identity('destructions')),
    xksPrefixes: new Collection(identity('xksPrefixes')),
    xksKeys: new Collection(identity('xksKeys'), ({ prefix, id }) => [{ group: prefix, member: id }]),
  }
  for (const noun of nouns ?? (Object.keys(view) as Noun[])) await fill(view, noun, database)
  return view
}

/** A page is read while the one before is shown: it should fit the young generation of the thread that reads it. */
const pageSize = 500
const countsPageSize = 10_000

async function fill<N extends Noun>(view: View, noun: N, database: SqlDatabase): Promise<void> {
  const shown = view[noun] as Shown<Records[N]>
  const shared = sharing()
  const load = (after?: RecordKey) => database.load(noun, { after, limit: pageSize })
  for (let next: ReturnType<typeof load> | undefined = load(); next; ) {
    const records: readonly Records[N][] = await next
    next = records.length < pageSize ? undefined : load(keyOf(noun, records.at(-1)!))
    for (const record of records)
      shown.put(frozen(noun === 'keys' ? (slim(record as Key, shared) as Records[N]) : record))
  }
}

/** Returns one text for all that are equal. */
function sharing(): (text: string) => string {
  const texts = new Map<string, string>()
  return text => {
    const known = texts.get(text)
    if (known === undefined) texts.set(text, text)
    return known ?? text
  }
}

/** The key without copies of texts, which would be a fifth of the memory of 100,000 keys. */
function slim(key: Key, shared: (text: string) => string): Key {
  const { account, region, policy } = key
  return { ...key, account: shared(account), region: shared(region), policy: shared(policy) }
}

export function show(view: View, { noun, action, record }: Change): void {
  const shown = view[noun] as Shown<Records[Noun]>
  shown[action](record)
  if (noun === 'keys' && action === 'remove') view.grants.removeKey(record.arn)
}

/** Removes a record by its key. */
export function forget(view: View, noun: Noun, key: RecordKey): void {
  if (noun === 'grants') {
    const grant = view.grants.find(key[0] as string, key[1] as string)
    if (grant) view.grants.remove(grant)
    return
  }
  const record = view[noun].find(identityOf(key))
  if (record) show(view, { noun, action: 'remove', record } as Change)
}

/** Freezes a record deeply; byte arrays cannot be frozen. */
export function frozen<T extends object>(value: T): T {
  if (ArrayBuffer.isView(value) || Object.isFrozen(value)) return value
  for (const member of Object.values(value)) if (typeof member === 'object' && member !== null) frozen(member)
  return Object.freeze(value)
}

/** By material. */
export async function loadEncryptionCounts(database: SqlDatabase): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  for (let after = ''; ; ) {
    const page = await database.loadEncryptionCounts({ after, limit: countsPageSize })
    for (const { material, count } of page) counts.set(material, count)
    if (page.length < countsPageSize) return counts
    after = page.at(-1)!.material
  }
}

/** Ids. */
export function objectsIn(view: View): ReadonlySet<string> {
  const found = new Set<string>()
  const add = ({ id }: KeyObject) => found.add(id)
  for (const key of view.keys.all()) objectsOf(key).forEach(add)
  for (const systemKey of view.systemKeys.all()) objectsOfSystemKey(systemKey).forEach(add)
  for (const { object } of view.spareKeys.all()) add(object)
  for (const { object } of view.wrappingKeys.all()) add(object)
  return found
}
