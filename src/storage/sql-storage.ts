/** Storage in an SQL database: reads come from a view in memory, commits go to the database first. */
import { Kysely } from 'kysely'
import { Failure, OperatorError } from '../errors.ts'
import { currentMaterial, type SystemKey } from '../model/key.ts'
import type { Engine } from './engines/engine.ts'
import { migrate } from './migrations/migrate.ts'
import { type Change, type Changes, Conflict, type HeldRecord, type Records, type Storage } from './storage.ts'
import { listAliases } from './tables/aliases.ts'
import { recordChanges, takeSequence } from './tables/changes.ts'
import type { Database } from './tables/database.ts'
import { listKeys } from './tables/keys.ts'
import { heldRecords, holdRecord, removeRecords } from './tables/outbox.ts'
import { systemKeyIdentity } from './tables/system-keys.ts'
import type { Table } from './tables/table.ts'
import { tables } from './tables/tables.ts'
import { frozen, loadView, show, type View } from './view.ts'

/** Opens the database, brings its schema up to date and proves that it can be written. Throws OperatorError. */
export async function openStorage(engine: Engine): Promise<Storage> {
  const db = new Kysely<Database>({ dialect: engine.dialect })
  try {
    await migrate(db, engine)
    await takeSequence(db, 1)
    engine.verify()
    return new SqlStorage(engine, db, await loadView(db))
  } catch (error) {
    await db.destroy()
    if (error instanceof OperatorError) throw error
    throw new OperatorError(`${engine.name} ${engine.explain(error)}`, { cause: error })
  }
}

class SqlStorage implements Storage {
  readonly #engine: Engine
  readonly #db: Kysely<Database>
  readonly #view: View
  /** Ends when the work before has ended. */
  #turn: Promise<unknown> = Promise.resolve()

  readonly keys: Storage['keys']
  readonly aliases: Storage['aliases']
  readonly principals: Storage['principals']
  readonly accessKeys: Storage['accessKeys']
  readonly systemKeys: Storage['systemKeys']
  readonly destructions: Storage['destructions']
  readonly outbox: Storage['outbox']

  constructor(engine: Engine, db: Kysely<Database>, view: View) {
    this.#engine = engine
    this.#db = db
    this.#view = view
    this.keys = {
      find: arn => view.keys.find(arn),
      findByMaterial: (material, region) => view.keys.findIn(region, material),
      list: page => this.#inTurn(async () => (await listKeys(db, page)).map(arn => view.keys.find(arn)!)),
      dueForDeletion: now => view.keys.all().filter(key => key.state === 'PendingDeletion' && key.deletionDate! <= now),
      onHsm: hsm => view.keys.all().filter(key => currentMaterial(key).hsm === hsm),
      materialsOn: hsm => materialsOn(view, hsm),
    }
    this.aliases = {
      find: arn => view.aliases.find(arn),
      list: page => this.#inTurn(async () => (await listAliases(db, page)).map(arn => view.aliases.find(arn)!)),
      ofKey: keyArn => view.aliases.group(keyArn),
    }
    this.principals = { find: arn => view.principals.find(arn) }
    this.accessKeys = {
      find: id => view.accessKeys.find(id),
      ofPrincipal: arn => view.accessKeys.group(arn),
      count: () => view.accessKeys.all().length,
    }
    this.systemKeys = {
      find: (hsm: string, purpose: SystemKey['purpose']) => view.systemKeys.find(systemKeyIdentity(hsm, purpose)),
    }
    this.destructions = { list: () => view.destructions.all() }
    this.outbox = {
      list: () => this.#inTurn(() => heldRecords(db)),
      remove: eventIds => this.#inTurn(() => db.transaction().execute(tx => removeRecords(tx, eventIds))),
    }
  }

  async commit({ eventId, list }: Changes, record?: HeldRecord): Promise<void> {
    if (list.length === 0) return
    const changes = list.map(settle)
    await this.#inTurn(async () => {
      this.#engine.verify()
      await this.#db.transaction().execute(async tx => {
        for (const change of changes) await write(tx, change)
        await recordChanges(
          tx,
          changes.map(change => ({ event_id: eventId, noun: change.noun, record_key: identity(change) })),
        )
        if (record !== undefined) await holdRecord(tx, record)
      })
      for (const change of changes) show(this.#view, change)
    })
  }

  /** Takes a number that no change will have: an update that changes nothing would not reach the disk. */
  async check(): Promise<void> {
    await this.#inTurn(async () => {
      this.#engine.verify()
      await takeSequence(this.#db, 1)
    })
  }

  /** Ends what was begun. SQLite then moves the write-ahead log into the file. */
  async close(): Promise<void> {
    await this.#inTurn(() => this.#db.destroy())
  }

  /** One at a time: what is read in the database is then always what the view shows. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => undefined)
    try {
      return await result
    } catch (error) {
      if (error instanceof Conflict) throw error
      if (this.#engine.violatesReference(error))
        throw new Conflict('a record points at one that is gone', { cause: error })
      throw Failure.from(error)
    }
  }
}

/** The change as it will be on disk: a copy that nobody can alter while it waits, at its new revision. */
function settle(change: Change): Change {
  const record = structuredClone(change.record)
  if (change.action === 'remove') return { ...change, record } as Change
  return { ...change, record: frozen({ ...record, revision: record.revision + 1 }) } as Change
}

function identity({ noun, record }: Change): string {
  return (tables[noun] as Table<Records[typeof noun]>).identity(record)
}

async function write(tx: Kysely<Database>, change: Change): Promise<void> {
  const { noun, action, record } = change
  const table = tables[noun] as Table<Records[typeof noun]>
  const kind = action === 'remove' ? 'remove' : record.revision === 1 ? 'insert' : 'update'
  if (!(await table[kind](tx, record))) {
    throw new Conflict(`${noun} ${identity(change)}: ${kind} does not fit its revision`)
  }
}

function materialsOn(view: View, hsm: string): ReadonlySet<string> {
  const found = new Set<string>()
  for (const key of view.keys.all())
    for (const material of key.materials) if (material.hsm === hsm) found.add(material.id)
  for (const { material } of view.systemKeys.all()) if (material.hsm === hsm) found.add(material.id)
  return found
}
