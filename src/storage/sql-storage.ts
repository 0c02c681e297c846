/** Storage in an SQL database: reads come from a view in memory, commits go to the database first. */
import { Failure } from '../errors.ts'
import { asciiLowerCase } from '../model/ascii.ts'
import type { AccessKeyUse } from '../model/identities/access-key.ts'
import { effectivePolicies } from '../model/identities/effective-policies.ts'
import type { Principal } from '../model/identities/principal.ts'
import { objectsOf, type SystemKey } from '../model/keys/key.ts'
import type { KeyUse } from '../model/keys/key-use.ts'
import { EncryptionCounts } from './encryption-counts.ts'
import { alone } from './fleet/alone.ts'
import { Fleet, type FleetOptions } from './fleet/fleet.ts'
import { FollowedView, type ViewObserver } from './followed-view.ts'
import { LastUses } from './last-uses.ts'
import type { SqlDatabase } from './sql-database.ts'
import {
  type Change,
  type Changes,
  Conflict,
  type HeldRecord,
  type Noun,
  OutcomeUnknown,
  type Storage,
} from './storage.ts'
import { destructionIdentity } from './tables/destructions.ts'
import { systemKeyIdentity } from './tables/system-keys.ts'
import { wrappingKeyIdentity } from './tables/wrapping-keys.ts'
import {
  byClaim,
  byId,
  byObject,
  expiring,
  frozen,
  loadEncryptionCounts,
  nameInAccount,
  objectGroup,
  objectsIn,
  regionOf,
  relatedTo,
  type View,
} from './view.ts'

/** Encryptions by which a stored count may be behind: with half as many, a key used 10,000 times a second is written every three seconds. */
const slack = 65_536

/** Attempts to list what is still there once it is looked up. */
const listings = 10

export interface OpenOptions {
  /** Name of this gateway in its fleet. */
  readonly gateway?: string
  /** Milliseconds since the epoch. */
  readonly now: number
  /** See Principals. */
  readonly acceptsUnknown?: boolean
  /** See EncryptionCounts. */
  readonly encryptionSlack?: number
  /** Of a gateway that shares the database. Default: nobody else changes it. */
  readonly fleet?: FleetOptions
  readonly onReload?: ViewObserver['reloaded']
}

/** Reads all records of the database into memory. In a fleet, resolves once the gateway may serve. */
export async function openStorage(database: SqlDatabase, options: OpenOptions): Promise<Storage> {
  const { now, gateway = 'gateway', acceptsUnknown = false, encryptionSlack = slack, fleet, onReload } = options
  try {
    const followed = await FollowedView.load(database)
    const { startedAt, others } = await database.beginTracking({ gateway, unwritten: encryptionSlack, now })
    const written = await loadEncryptionCounts(database)
    const member = fleet && new Fleet(gateway, database, followed, fleet)
    const counted = { trackingStart: startedAt, encryptionSlack, written, others }
    const opened = { gateway, acceptsUnknown, ...counted, fleet: member, onReload }
    const storage = new SqlStorage(database, followed, opened)
    await member?.start()
    return storage
  } catch (error) {
    await database.close()
    throw error
  }
}

/** Records of these nouns only, as they are now, without those of keys, which may be many. */
export async function readRecords<N extends Noun & keyof Storage>(
  database: SqlDatabase,
  nouns: readonly N[],
): Promise<Pick<Storage, N>> {
  const followed = await FollowedView.load(database, nouns)
  const unused = { gateway: '', acceptsUnknown: false, trackingStart: 0, encryptionSlack: slack, others: 0 }
  return new SqlStorage(database, followed, { ...unused, written: new Map(), fleet: undefined, onReload: undefined })
}

interface Opened extends Required<Pick<OpenOptions, 'gateway' | 'acceptsUnknown' | 'encryptionSlack'>> {
  readonly trackingStart: number
  /** Encryptions by material. */
  readonly written: Map<string, number>
  /** See EncryptionCounts. */
  readonly others: number
  readonly fleet: Fleet | undefined
  readonly onReload: OpenOptions['onReload']
}

class SqlStorage implements Storage {
  readonly #database: SqlDatabase
  readonly #followed: FollowedView
  readonly #gateway: string
  readonly #fleet: Fleet | undefined
  /** Resolves when the result of the previous call is in the view. */
  #before: Promise<unknown> = Promise.resolve()
  #failing = false
  readonly #keyUses: LastUses<KeyUse>
  readonly #accessKeyUses: LastUses<AccessKeyUse>

  readonly keys: Storage['keys']
  readonly aliases: Storage['aliases']
  readonly grants: Storage['grants']
  readonly accounts: Storage['accounts']
  readonly managedPolicies: Storage['managedPolicies']
  readonly groups: Storage['groups']
  readonly oidcProviders: Storage['oidcProviders']
  readonly principals: Storage['principals']
  readonly services: Storage['services']
  readonly accessKeys: Storage['accessKeys']
  readonly systemKeys: Storage['systemKeys']
  readonly spareKeys: Storage['spareKeys']
  readonly wrappingKeys: Storage['wrappingKeys']
  readonly customKeyStores: Storage['customKeyStores']
  readonly destructions: Storage['destructions']
  readonly xksPrefixes: Storage['xksPrefixes']
  readonly xksKeys: Storage['xksKeys']
  readonly outbox: Storage['outbox']
  readonly journals: Storage['journals']
  readonly clock: Storage['clock']
  readonly jobLease: Storage['jobLease']
  readonly encryptions: EncryptionCounts
  readonly trackingStart: number
  readonly fleet: Storage['fleet']

  constructor(
    database: SqlDatabase,
    followed: FollowedView,
    { gateway, acceptsUnknown, trackingStart, encryptionSlack, written, others, fleet, onReload }: Opened,
  ) {
    const { view } = followed
    this.#database = database
    this.#followed = followed
    this.#gateway = gateway
    this.#fleet = fleet
    this.trackingStart = trackingStart
    this.fleet = fleet ?? {
      ...alone,
      gateway,
      get applied() {
        return followed.position.number
      },
    }
    followed.observer = {
      removed: materials => this.encryptions.forget(materials),
      advanced: (number, records) => fleet?.advanced(number, records),
      reloaded: (from, to, lost) => onReload?.(from, to, lost),
    }
    this.encryptions = new EncryptionCounts({
      written,
      slack: encryptionSlack,
      others,
      isShared: fleet !== undefined,
      store: added => this.#inOrder(database.addEncryptionCounts(gateway, added)),
    })
    this.#keyUses = new LastUses(
      use => use.keyArn,
      uses => this.#inOrder(database.writeKeyUses(uses)),
    )
    this.#accessKeyUses = new LastUses(
      use => use.accessKeyId,
      uses => this.#inOrder(database.writeAccessKeyUses(uses)),
    )
    this.keys = {
      find: arn => view.keys.find(arn),
      findByObject: object => view.keys.group(objectGroup(object)),
      related: key => relatedTo(view, key),
      findByMaterial: (material, region) => view.keys.findIn(region, material),
      list: page =>
        this.#listed(
          () => database.listKeys(page),
          arn => view.keys.find(arn),
        ),
      expiring: () => view.keys.group(expiring),
      dueForDeletion: now => view.keys.deletions.until(now),
      dueForRotation: now => view.keys.rotations.until(now),
      ofAccount: account => view.keys.all().filter(key => key.account === account),
      all: () => view.keys.all(),
      inStore: store => view.keys.group(store),
      onHsm: hsm => view.keys.all().filter(key => objectsOf(key).some(object => object.hsm === hsm)),
      objects: () => objectsIn(view),
      recordUse: use => this.#keyUses.record(use),
      lastUse: arn => this.#keyUses.latest(arn, () => this.#inOrder(database.readKeyUse(arn))),
    }
    this.aliases = {
      find: arn => view.aliases.find(arn),
      list: page =>
        this.#listed(
          () => database.listAliases(page),
          arn => view.aliases.find(arn),
        ),
      ofKey: keyArn => view.aliases.group(keyArn),
      named: (account, name) => view.aliases.all().filter(alias => alias.account === account && alias.name === name),
    }
    this.grants = {
      find: (keyArn, id) => view.grants.find(keyArn, id),
      findByFingerprint: (keyArn, fingerprint) => view.grants.findByFingerprint(keyArn, fingerprint),
      count: keyArn => view.grants.count(keyArn),
      search: search => view.grants.search(search),
      list: page =>
        this.#listed(
          () => database.listGrants(page),
          ({ keyArn, id }) => view.grants.find(keyArn, id),
        ),
    }
    this.accounts = { find: id => view.accounts.find(id), all: () => view.accounts.all() }
    this.managedPolicies = {
      find: arn => view.managedPolicies.find(arn),
      named: (account, name) => view.managedPolicies.findIn(account, asciiLowerCase(name)),
      ofAccount: account => view.managedPolicies.group(account),
    }
    this.oidcProviders = {
      find: arn => view.oidcProviders.find(arn),
      ofAccount: account => view.oidcProviders.group(account),
    }
    this.services = {
      find: name => view.services.find(name),
      ofUser: arn => view.services.findIn(arn, ''),
      all: () => view.services.all(),
    }
    this.groups = {
      named: (account, name) => view.groups.findIn(account, asciiLowerCase(name)),
      ofAccount: account => view.groups.group(account),
    }
    this.principals = { ...principalsIn(view), acceptsUnknown }
    this.accessKeys = {
      find: id => view.accessKeys.find(id),
      ofPrincipal: arn => view.accessKeys.group(arn),
      count: () => view.accessKeys.all().length,
      recordUse: use => this.#accessKeyUses.record(use),
      lastUse: id => this.#accessKeyUses.latest(id, () => this.#inOrder(database.readAccessKeyUse(id))),
    }
    this.systemKeys = {
      find: (hsm: string, purpose: SystemKey['purpose']) => view.systemKeys.find(systemKeyIdentity(hsm, purpose)),
    }
    this.spareKeys = {
      find: id => view.spareKeys.find(id),
      onHsm: hsm => view.spareKeys.group(hsm),
    }
    this.wrappingKeys = {
      withObject: id => view.wrappingKeys.findIn(byObject, id),
      ofDay: key => view.wrappingKeys.find(wrappingKeyIdentity(key)),
      ofKey: keyArn => view.wrappingKeys.group(keyArn),
      all: () => view.wrappingKeys.all(),
    }
    this.customKeyStores = {
      find: id => view.customKeyStores.find(id),
      ofKey: ({ customKeyStoreId: id }) => (id === undefined ? undefined : view.customKeyStores.find(id)),
      holding: ({ value }) => view.customKeyStores.findIn(byClaim, value),
      ofRegion: (account, region) =>
        [...view.customKeyStores.group(regionOf({ account, region }))].sort((a, b) => (a.id < b.id ? -1 : 1)),
      all: () => view.customKeyStores.all(),
    }
    this.destructions = {
      find: (hsm, object) => view.destructions.find(destructionIdentity(hsm, object)),
      list: () => view.destructions.all(),
    }
    this.xksPrefixes = { find: name => view.xksPrefixes.find(name), all: () => view.xksPrefixes.all() }
    this.xksKeys = {
      find: (prefix, id) => view.xksKeys.findIn(prefix, id),
      ofPrefix: prefix => view.xksKeys.group(prefix),
    }
    this.outbox = {
      list: () => this.#inOrder(database.heldRecords()),
      remove: (eventIds, journal, positions) => this.#inOrder(database.removeRecords(eventIds, journal, positions)),
      takeOver: (eventIds, position) => this.#inOrder(database.takeOver(eventIds, position)),
      takenFrom: journal => this.#inOrder(database.takenFrom(journal)),
    }
    this.journals = {
      list: () => this.#inOrder(database.listJournals()),
      register: id => this.#register(id),
      writeHead: (id, head) => this.#inOrder(database.writeJournalHead(id, head)),
      writeRun: (id, run) => this.#inOrder(database.writeRun(id, run)),
    }
    this.clock = {
      read: () => this.#inOrder(database.readClock()),
      write: (reading, fence) => this.#inOrder(database.writeClock(reading, fence)),
    }
    this.jobLease = {
      take: () => this.#inOrder(database.takeJobLease(gateway)),
      end: () => this.#inOrder(database.endJobLease(gateway)),
    }
  }

  get identitiesVersion(): number {
    return this.#followed.identitiesVersion
  }

  get failing(): boolean {
    return this.#failing
  }

  async commit({ list, basis, fence }: Changes, ...records: readonly HeldRecord[]): Promise<number | undefined> {
    if (list.length === 0) return undefined
    const changes = list.map(settle)
    // A gateway alone sees every commit before it decides the next one, and counts none.
    const { position } = this.#followed
    const ofFleet = this.#fleet && { run: this.#fleet.run, basis, position }
    const commit = this.#database.commit({ gateway: this.#gateway, ...ofFleet, fence, changes, records })
    try {
      return await this.#write(commit, async number => {
        await this.#followed.committed(number, records[0]?.eventId, changes, ofFleet?.position)
        return number
      })
    } catch (error) {
      // The request is decided again, by what others have changed.
      if (error instanceof Conflict && this.#fleet) await this.#followed.catchUp().catch(() => {})
      throw error
    }
  }

  async lastChange(): Promise<number> {
    return (await this.#inOrder(this.#database.lastChange())).number
  }

  async check(): Promise<void> {
    await this.#write(this.#database.check())
  }

  async writeUses(): Promise<void> {
    const writes = [this.encryptions.write(), this.#keyUses.write(), this.#accessKeyUses.write()]
    const failed = (await Promise.allSettled(writes)).find(({ status }) => status === 'rejected')
    if (failed) throw (failed as PromiseRejectedResult).reason
  }

  async close(): Promise<void> {
    // If this fails, it is as after a crash.
    await this.writeUses()
      .then(() => this.#inOrder(this.#database.endTracking(this.#gateway)))
      .catch(() => {})
    await this.#fleet?.close().catch(() => {})
    await this.#inOrder(this.#database.close())
  }

  /** Whoever had the journal may not have given its lease back. */
  async #register(journal: string): Promise<void> {
    for (;;) {
      try {
        return await this.#inOrder(this.#database.registerJournal(journal, this.#gateway))
      } catch (error) {
        if (!(error instanceof Conflict) || !this.#fleet) throw error
        const owner = (await this.#database.listJournals()).find(({ id }) => id === journal)?.gateway
        if (owner === undefined || !(await this.#fleet.ended(owner))) throw error
      }
    }
  }

  async #write<T>(call: Promise<T>, take?: (answer: T) => Promise<T>): Promise<T> {
    try {
      const answer = await this.#inOrder(call, take)
      this.#failing = false
      return answer
    } catch (error) {
      if (!(error instanceof Conflict)) this.#failing = true
      throw error
    }
  }

  /**
   * The records that a query has listed. In a fleet, the view is then not behind what it found, but may be ahead. Throws Conflict if others keep
   * removing what was found.
   */
  async #listed<I, R>(list: () => Promise<readonly I[]>, find: (identity: I) => R | undefined): Promise<R[]> {
    for (let attempt = 1; attempt <= listings; attempt++) {
      const found = await this.#inOrder(list(), async identities => {
        if (this.#fleet) await this.#followed.catchUp()
        return identities.map(find)
      })
      const records = found.filter(record => record !== undefined)
      if (records.length === found.length) return records
    }
    throw new Conflict('others have removed what was listed')
  }

  /** Results are applied in the order of the calls, so that reads of the database agree with the view: if nobody else changes it. */
  async #inOrder<T, R = T>(
    call: Promise<T>,
    take: (answer: T) => R | Promise<R> = answer => answer as unknown as R,
  ): Promise<R> {
    const before = this.#fleet ? undefined : this.#before
    const taken = call.then(async answer => {
      await before
      return take(answer)
    })
    this.#before = Promise.allSettled([before, taken])
    try {
      return await taken
    } catch (error) {
      if (error instanceof Conflict || error instanceof OutcomeUnknown) throw error
      throw Failure.from(error)
    }
  }
}

function principalsIn(view: View): Storage['principals'] {
  const holding = (account: string, type: Principal['type'], name: string) =>
    view.principals.findIn(account, nameInAccount({ type, name }))
  const policies = {
    managedPolicy: (arn: string) => view.managedPolicies.find(arn),
    group: (account: string, name: string) => view.groups.findIn(account, asciiLowerCase(name)),
  }
  return {
    find: arn => view.principals.find(arn),
    withId: principalId => view.principals.findIn(byId, principalId),
    named: (account, type, name) => {
      const found = holding(account, type, name)
      return found?.name === name ? found : undefined
    },
    holding,
    isKnown: account => view.principals.hasGroup(account),
    ofAccount: account => view.principals.group(account),
    policiesOf: principal => effectivePolicies(principal, policies),
  }
}

/** The change as it will be on disk: a copy at its new revision, which later modifications do not affect. */
function settle(change: Change): Change {
  const record = structuredClone(change.record)
  if (change.action === 'remove') return { ...change, record } as Change
  return { ...change, record: frozen({ ...record, revision: record.revision + 1 }) } as Change
}
