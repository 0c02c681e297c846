/** Changes to a fleet that loses gateways and its database, and what must be left of them. */
import { setTimeout as delay } from 'node:timers/promises'
import type { OperationName } from '../../src/operations/kms/operation.ts'
import type { TestDatabase } from '../postgresql.ts'
import type { SeededRandom } from '../soak/seeded-random.ts'
import { isUnknown } from './client.ts'
import type { Fleet } from './fleet.ts'

const plaintext = Buffer.from('a plaintext').toString('base64')

/** A client that changes its own objects, one request after another. */
export class Ledger {
  /** Request ids of answered changes. */
  readonly answered = new Set<string>()
  /** Answers that are no legal ones. */
  readonly wrong: string[] = []
  /** Of which the outcome is unknown. */
  lost = 0
  readonly #name: string
  readonly #fleet: Fleet
  readonly #random: SeededRandom
  #number = 0
  /** Answered keys by their description: `<name>-<number>`. */
  readonly #keys = new Map<string, string>()
  /** Answered aliases, and their keys. */
  readonly #aliases = new Map<string, string>()
  /** Numbers of the descriptions of the first key: answered last, and sent since. */
  #described: number[] = [0]

  constructor(name: string, fleet: Fleet, random: SeededRandom) {
    this.#name = name
    this.#fleet = fleet
    this.#random = random
  }

  async change(until: Promise<unknown>): Promise<void> {
    let isOver = false
    void until.then(() => {
      isOver = true
    })
    while (!isOver) {
      const [first] = this.#keys.values()
      if (first === undefined || this.#random.fraction() < 0.1) await this.#createKey()
      else if (this.#random.fraction() < 0.3) await this.#createAlias(this.#random.of([...this.#keys.values()]))
      else await this.#describe(first)
    }
  }

  async #createKey(): Promise<void> {
    const Description = `${this.#name}-${++this.#number}`
    const output = await this.#send('CreateKey', { Description })
    if (output) this.#keys.set(Description, (output.KeyMetadata as { KeyId: string }).KeyId)
  }

  async #createAlias(TargetKeyId: string): Promise<void> {
    const AliasName = `alias/${this.#name}-${++this.#number}`
    if (await this.#send('CreateAlias', { AliasName, TargetKeyId })) this.#aliases.set(AliasName, TargetKeyId)
  }

  async #describe(KeyId: string): Promise<void> {
    const number = ++this.#number
    this.#described.push(number)
    if (await this.#send('UpdateKeyDescription', { KeyId, Description: `${number}` })) this.#described = [number]
  }

  /** Undefined if the outcome is unknown. */
  async #send(operation: OperationName, input: object): Promise<Readonly<Record<string, unknown>> | undefined> {
    const { administrator } = this.#fleet.clients
    const answer = await administrator.call(this.#fleet.anyUrl(this.#random), operation, input).catch(() => undefined)
    if (answer === undefined || isUnknown(answer)) {
      this.lost++
      // Whoever is refused at once would do nothing else any more.
      await delay(20)
      return undefined
    }
    if (answer.code !== undefined) this.wrong.push(`${operation}: ${JSON.stringify(answer.output)}`)
    else this.answered.add(answer.requestId)
    return answer.output
  }

  /** What is not as it was answered. All gateways must run. */
  async faults(database: TestDatabase): Promise<string[]> {
    const faults: string[] = []
    const rows = await database.sql(`select id, description from keys where description like '${this.#name}-%'`)
    const descriptions = rows.map(({ description }) => description as string)
    for (const description of new Set(descriptions))
      if (descriptions.filter(other => other === description).length > 1) faults.push(`${description} exists twice`)
    const [[, first] = [], ...others] = this.#keys
    for (const [description, id] of others)
      if (!rows.some(row => row.id === id && row.description === description)) faults.push(`${description} is lost`)
    if (first === undefined) return faults
    const [{ description } = {}] = await database.sql(`select description from keys where id = '${first}'`)
    const isKnown = this.#described[0] === 0 || this.#described.includes(Number(description))
    if (!isKnown) faults.push(`${first} is described as ${description}, not as one of ${this.#described}`)
    const { administrator } = this.#fleet.clients
    for (const [{ url }, id] of this.#fleet.members.flatMap(member =>
      [...this.#keys.values()].map(id => [member, id] as const),
    )) {
      const { code, output } = await administrator.call(url, 'Encrypt', { KeyId: id, Plaintext: plaintext })
      if (code !== undefined) faults.push(`${id} at ${url}: ${code}: ${output.message}`)
    }
    for (const [{ url }, [alias, id]] of this.#fleet.members.flatMap(member =>
      [...this.#aliases].map(alias => [member, alias] as const),
    )) {
      const { code, output } = await administrator.call(url, 'DescribeKey', { KeyId: alias })
      const found = (output.KeyMetadata as { KeyId: string } | undefined)?.KeyId
      if (found !== id) faults.push(`${alias} at ${url}: ${code ?? found}, not ${id}`)
    }
    return faults
  }
}
