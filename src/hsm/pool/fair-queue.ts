/** A bounded queue that is fair between callers: they take turns. */

export class FairQueue<T> {
  readonly #bound: number
  /** By caller, in the order of their turns. */
  readonly #byCaller = new Map<string, T[]>()
  #size = 0

  /** @param bound items that may wait */
  constructor(bound: number) {
    this.#bound = bound
  }

  get size(): number {
    return this.#size
  }

  /**
   * Adds an item. If the queue is full, returns the item that is dropped for it: the last one of the caller with the most items, or this one.
   */
  add(caller: string, item: T): T | undefined {
    const own = this.#byCaller.get(caller)
    if (this.#size >= this.#bound) {
      const longest = this.#longest()
      if (longest === undefined || longest.length <= (own?.length ?? 0) + 1) return item
      this.#size--
      const dropped = longest.pop()
      this.#add(caller, item)
      return dropped
    }
    this.#add(caller, item)
    return undefined
  }

  /** Puts an item back that was taken: at the front, beyond the bound if need be. */
  putBack(caller: string, item: T): undefined {
    const own = this.#byCaller.get(caller)
    if (own === undefined) this.#byCaller.set(caller, [item])
    else own.unshift(item)
    this.#size++
  }

  /** The first item of the caller whose turn it is, among those that may be taken. */
  take(mayBeTaken: (item: T) => boolean = () => true): T | undefined {
    for (const [caller, items] of this.#byCaller) {
      const index = mayBeTaken(items[0]!) ? 0 : items.findIndex(mayBeTaken)
      if (index < 0) continue
      const item = index === 0 ? items.shift() : items.splice(index, 1)[0]
      this.#size--
      this.#endTurn(caller, items)
      return item
    }
    return undefined
  }

  /** A copy of all items. */
  items(): readonly T[] {
    return [...this.#byCaller.values()].flat()
  }

  /** Whether it was present. */
  remove(caller: string, item: T): boolean {
    const items = this.#byCaller.get(caller)
    const index = items?.indexOf(item) ?? -1
    if (index < 0) return false
    items!.splice(index, 1)
    this.#size--
    if (items!.length === 0) this.#byCaller.delete(caller)
    return true
  }

  #add(caller: string, item: T): void {
    const own = this.#byCaller.get(caller)
    if (own === undefined) this.#byCaller.set(caller, [item])
    else own.push(item)
    this.#size++
  }

  /** Its next turn comes after those of all other callers. */
  #endTurn(caller: string, items: T[]): void {
    if (items.length > 0 && this.#byCaller.size === 1) return
    this.#byCaller.delete(caller)
    if (items.length > 0) this.#byCaller.set(caller, items)
  }

  #longest(): T[] | undefined {
    let longest: T[] | undefined
    for (const items of this.#byCaller.values()) if (items.length > (longest?.length ?? 0)) longest = items
    return longest
  }
}
