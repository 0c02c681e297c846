/** The view of a gateway, and how it follows the commits of all gateways. */
import { type Key, materialsOf } from '../model/keys/key.ts'
import { coalesced } from './coalesced.ts'
import type { SqlDatabase } from './sql-database.ts'
import type { Change, Noun } from './storage.ts'
import type { Advance, ChangePosition, CurrentRecord } from './tables/changes.ts'
import { keyOf } from './tables/tables.ts'
import { forget, frozen, loadView, relatedTo, show, type View } from './view.ts'

/** What a caller comes from, besides its access key. */
const identityNouns: ReadonlySet<Noun> = new Set(['principals', 'groups', 'managedPolicies', 'services'] as const)

/** Told of what is shown. */
export interface ViewObserver {
  /** Materials that no key has any more. */
  removed(materials: readonly string[]): void
  /** Records that changed up to a number. Undefined: possibly all. */
  advanced(number: number, records: readonly Pick<CurrentRecord, 'noun' | 'key'>[] | undefined): void
  /**
   * The log does not lead from one position to the other, so everything was loaded again.
   *
   * @param lost commits of this gateway that the database has no longer
   */
  reloaded(from: ChangePosition, to: ChangePosition, lost: readonly ChangePosition[]): void
}

function isSame(a: ChangePosition, b: ChangePosition): boolean {
  return a.number === b.number && a.eventId === b.eventId
}

/** Commits of this gateway that are looked for when the database has gone back in time. */
const keptCommits = 1000

export class FollowedView {
  readonly view: View
  /** Default: nobody is told. */
  observer: ViewObserver | undefined
  readonly #database: SqlDatabase
  #position: ChangePosition
  #identitiesVersion = 0
  /** The latest last. */
  #committed: ChangePosition[] = []
  #isReloading = false

  /** Shows what others have committed. */
  readonly catchUp = coalesced(() => this.#catchUp())

  private constructor(database: SqlDatabase, view: View, position: ChangePosition) {
    this.#database = database
    this.view = view
    this.#position = position
  }

  /** @param nouns see loadView */
  static async load(database: SqlDatabase, nouns?: readonly Noun[]): Promise<FollowedView> {
    const position = await database.lastChange()
    const followed = new FollowedView(database, await loadView(database, nouns), position)
    // What was committed while the records were loaded may be in the view in part.
    await followed.catchUp()
    return followed
  }

  /** Of the last commit in the view. */
  get position(): ChangePosition {
    return this.#position
  }

  /** Whether it must not be used. */
  get isReloading(): boolean {
    return this.#isReloading
  }

  get identitiesVersion(): number {
    return this.#identitiesVersion
  }

  /**
   * Shows a commit of this gateway; if others came before it that are not in the view, those too.
   *
   * @param after a position that the database had when it was committed. Default: that of the view, as nobody else commits
   */
  async committed(
    number: number,
    eventId: string | undefined,
    changes: readonly Change[],
    after = this.#position,
  ): Promise<void> {
    const position = { number, eventId }
    this.#committed.push(position)
    if (this.#committed.length > 2 * keptCommits) this.#committed = this.#committed.slice(-keptCommits)
    if (number === after.number + 1 && isSame(after, this.#position)) return this.#show(changes, position, position)
    try {
      // Once at least: a database that went back in time may give a number again.
      do await this.catchUp()
      while (this.#position.number < number)
    } catch {
      // It is committed, whatever happens to the database now: what came before it is shown later.
      this.#show(changes, position, this.#position)
    }
  }

  /** @param shown the position of the view then */
  #show(changes: readonly Change[], { number }: ChangePosition, shown: ChangePosition): void {
    for (const change of changes) {
      show(this.view, change)
      if (change.noun === 'keys' && change.action === 'remove') this.#forgetMaterials(change.record)
    }
    const records = changes.map(({ noun, record }) => ({ noun, key: keyOf(noun, record) }))
    this.#shown(shown, records, number)
  }

  async #catchUp(): Promise<void> {
    const from = this.#position
    const advance = await this.#database.changesAfter(from)
    // Own commits, which were shown meanwhile, may be ahead of what was read.
    if (advance && advance.number > this.#position.number) this.#advance(advance)
    if (advance) this.#isReloading = false
    else if (this.#position === from) await this.#reload(from)
    else await this.#catchUp()
  }

  #advance({ records, ...position }: Advance): void {
    for (const { noun, key, record } of records) {
      if (record) show(this.view, { noun, action: 'put', record: frozen(record) } as Change)
      else {
        const gone = noun === 'keys' ? this.view.keys.find(key[0] as string) : undefined
        forget(this.view, noun, key)
        if (gone) this.#forgetMaterials(gone)
      }
    }
    this.#shown(position, records)
  }

  /** Until it has ended, the view may be of a database that is no more, and lack own commits. */
  async #reload(from: ChangePosition): Promise<void> {
    this.#isReloading = true
    const position = await this.#database.lastChange()
    const view = await loadView(this.#database)
    const events = new Set<string | undefined>(await this.#database.lostEvents(this.#committed))
    const lost = this.#committed.filter(({ eventId }) => events.has(eventId))
    Object.assign(this.view, view)
    this.#committed = []
    this.#shown(position, undefined)
    this.observer?.reloaded(from, position, lost)
    // As at the start.
    await this.#catchUp()
  }

  #shown(
    position: ChangePosition,
    records: readonly Pick<CurrentRecord, 'noun' | 'key'>[] | undefined,
    number = position.number,
  ): void {
    this.#position = position
    if (!records || records.some(({ noun }) => identityNouns.has(noun))) this.#identitiesVersion++
    this.observer?.advanced(number, records)
  }

  /** But for the materials that a related key still has. */
  #forgetMaterials(key: Key): void {
    const kept = new Set(
      relatedTo(this.view, key)
        .flatMap(materialsOf)
        .map(({ id }) => id),
    )
    this.observer?.removed(materialsOf(key).flatMap(({ id }) => (kept.has(id) ? [] : [id])))
  }
}
