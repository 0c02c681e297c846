/** Adds up calls and keys, and what they cost. */
import { type Calls, reEncryptFrom } from './calls.ts'
import { type Prices, requestKind } from './prices.ts'

/** What a report can be divided by. */
export const dimensions = ['month', 'day', 'account', 'key', 'operation', 'kind'] as const
export type Dimension = (typeof dimensions)[number]
type Place = Readonly<Record<Dimension, string>>

export interface UsageSum {
  readonly calls: number
  readonly failedCalls: number
  readonly keyMonths: number
  /** In the currency of the prices; below 0 for free requests. */
  readonly cost: number
}

/** A sum, with the dimensions of the report. An empty text stands for what it does not have. */
export type UsageRow = Partial<Place> & UsageSum

/** `month` is YYYY-MM, `day` YYYY-MM-DD, or empty. */
export type Time = Pick<Place, 'month' | 'day'>

/** A key of calls, as far as it is known. */
export interface CalledKey {
  readonly spec: string
  /** Free for everybody. */
  readonly isOwnedByService: boolean
}

type Sum = { -readonly [K in keyof UsageSum]: UsageSum[K] }

const nothing: UsageSum = { calls: 0, failedCalls: 0, keyMonths: 0, cost: 0 }

export class UsageReport {
  readonly #by: readonly Dimension[]
  readonly #prices: Prices
  /** By the values of their dimensions. */
  readonly #rows = new Map<string, Sum & Partial<Place>>()
  readonly #total: Sum = { ...nothing }
  /** Charged standard requests, by month and account. */
  readonly #standard = new Map<string, number>()

  constructor(by: readonly Dimension[], prices: Prices) {
    this.#by = by
    this.#prices = prices
  }

  get size(): number {
    return this.#rows.size
  }

  addCalls(time: Time, { account, keyArn, operation, pairSpec, errorCode, calls }: Calls, key?: CalledKey): void {
    const kind = requestKind(operation, pairSpec, key?.spec)
    const isFree = account === '' || key?.isOwnedByService === true
    const failed = errorCode !== ''
    const charged = isFree || (failed && !this.#prices.failedRequests) ? 0 : calls
    const failedCalls = failed ? calls : 0
    const { month, day } = time
    const place = { month, day, account, key: keyArn, operation, kind }
    if (operation === reEncryptFrom) {
      // The same calls as those of the destination keys.
      const row = { ...nothing, calls, failedCalls }
      if (this.#by.includes('key')) this.#addRow({ ...place, operation: 'ReEncrypt' }, row)
      return
    }
    const cost = (charged / 10_000) * this.#prices.requests[kind]
    this.#add(place, { calls, failedCalls, keyMonths: 0, cost })
    if (kind !== 'standard' || charged === 0) return
    const payer = `${time.month} ${account}`
    this.#standard.set(payer, (this.#standard.get(payer) ?? 0) + charged)
  }

  addKey(time: Time, key: { readonly account: string; readonly arn: string }, keyMonths: number): void {
    if (keyMonths === 0) return
    const { month, day } = time
    const place = { month, day, account: key.account, key: key.arn, operation: '', kind: 'keyMonth' }
    this.#add(place, { calls: 0, failedCalls: 0, keyMonths, cost: keyMonths * this.#prices.keyMonth })
  }

  /** The dearest first; and their total, in which a ReEncrypt is one call. */
  finish(): { readonly rows: readonly UsageRow[]; readonly total: UsageSum } {
    const { freeRequests, requests } = this.#prices
    for (const [payer, calls] of freeRequests > 0 ? this.#standard : []) {
      const [month = '', account = ''] = payer.split(' ')
      const place = { month, day: '', account, key: '', operation: '', kind: 'freeRequests' }
      this.#add(place, { ...nothing, cost: (-Math.min(calls, freeRequests) / 10_000) * requests.standard })
    }
    const rows = [...this.#rows.values()].map(row => ({ ...row, ...rounded(row) }))
    return { rows: rows.sort((one, other) => this.#compare(one, other)), total: rounded(this.#total) }
  }

  #add(place: Place, sum: UsageSum): void {
    this.#addRow(place, sum)
    add(this.#total, sum)
  }

  #addRow(place: Place, sum: UsageSum): void {
    let id = ''
    for (const dimension of this.#by) id += `${place[dimension]} `
    const row = this.#rows.get(id)
    if (row) add(row, sum)
    else this.#rows.set(id, { ...Object.fromEntries(this.#by.map(name => [name, place[name]])), ...sum })
  }

  /** In order of time, then of cost. */
  #compare(one: UsageRow, other: UsageRow): number {
    for (const name of ['month', 'day'] as const) {
      const order = compareText(one[name] ?? '', other[name] ?? '')
      if (order !== 0) return order
    }
    if (one.cost !== other.cost) return other.cost - one.cost
    if (one.calls !== other.calls) return other.calls - one.calls
    return compareText(JSON.stringify(one), JSON.stringify(other))
  }
}

function compareText(one: string, other: string): number {
  return one < other ? -1 : Number(one > other)
}

function add(sum: Sum, { calls, failedCalls, keyMonths, cost }: UsageSum): void {
  sum.calls += calls
  sum.failedCalls += failedCalls
  sum.keyMonths += keyMonths
  sum.cost += cost
}

function rounded({ calls, failedCalls, keyMonths, cost }: UsageSum): UsageSum {
  return { calls, failedCalls, keyMonths: toMillionths(keyMonths), cost: toMillionths(cost) }
}

/** Without what adding binary fractions leaves behind. */
function toMillionths(value: number): number {
  // Plus 0, as there is a -0.
  return Math.round(value * 1e6) / 1e6 + 0
}
