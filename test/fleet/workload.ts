/** Random requests to random gateways, and the history of what was asked and answered: input of linearizability.ts. */
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { defaultKeyPolicy } from '../../src/model/keys/key.ts'
import type { OperationName } from '../../src/operations/kms/operation.ts'
import { home } from '../end-to-end/gateway.ts'
import type { SeededRandom } from '../soak/seeded-random.ts'
import { type Answer, isUnknown, type KmsClient } from './client.ts'
import { type Caller, kmsModel, listed, type Request, type State } from './kms-model.ts'
import type { Model, Operation } from './linearizability.ts'
import { policyAllowing } from './revocations.ts'

export interface Clients {
  readonly administrator: KmsClient
  /** Whom only key policies and grants allow anything. */
  readonly user: KmsClient
  readonly userArn: string
}

const keyNames = ['k1', 'k2'] as const
const aliasNames = ['alias/a1', 'alias/a2'] as const
const mostLost = 10
const plaintext = Buffer.from('a plaintext').toString('base64')

/** Objects that depend on each other, and on no others: two keys, two aliases, grants. */
export class Partition {
  readonly model: Model<State, Request> = kmsModel(keyNames)
  readonly history: Operation<Request>[] = []
  /** Why outcomes are unknown. */
  readonly lost: string[] = []
  readonly #name: string
  readonly #clients: Clients
  readonly #random: SeededRandom
  readonly #url: () => string
  readonly #keys = new Map<string, { readonly id: string; readonly arn: string; readonly blob: string }>()
  /** Names of grants that may exist, and their ids where they are known. */
  readonly #grants = new Map<string, string | undefined>()
  #grantCount = 0
  #lostChanges = 0

  /** @param url of the gateway of the next request */
  constructor(name: string, clients: Clients, random: SeededRandom, url: () => string) {
    this.#name = name
    this.#clients = clients
    this.#random = random
    this.#url = url
  }

  /** Creates the keys; a gateway that cannot is asked again, or another one. */
  async create(): Promise<void> {
    for (const name of keyNames) {
      const { KeyMetadata } = await this.#persist('CreateKey', {})
      const { KeyId: id, Arn: arn } = KeyMetadata as { KeyId: string; Arn: string }
      const { CiphertextBlob } = await this.#persist('Encrypt', { KeyId: id, Plaintext: plaintext })
      this.#keys.set(name, { id, arn, blob: CiphertextBlob as string })
    }
  }

  async #persist(operation: OperationName, input: object): Promise<Answer['output']> {
    for (;;) {
      const answer = await this.#clients.administrator.call(this.#url(), operation, input).catch(() => undefined)
      if (answer?.status === 200) return answer.output
      if (answer !== undefined && !isUnknown(answer)) throw new Error(`${operation}: ${JSON.stringify(answer.output)}`)
      await delay(50)
    }
  }

  /** Sends as many requests, one after another; fewer if many outcomes are unknown, as there are too many ways to put them in order then. */
  async send(count: number): Promise<void> {
    for (let sent = 0; sent < count && this.#lostChanges < mostLost; sent++) await this.#record(this.#draw())
  }

  async #record(input: Request): Promise<void> {
    const called = performance.now()
    const output = await this.#ask(input).catch(error => this.#lose(input, String(error)))
    const returned = output === undefined ? Number.POSITIVE_INFINITY : performance.now()
    this.history.push({ input, output, called, returned })
    if (output !== undefined) return
    if (!this.model.isRead(input)) this.#lostChanges++
    // Whoever is refused at once would do nothing else any more.
    await delay(20)
  }

  #lose({ name }: Request, reason: string): undefined {
    this.lost.push(`${name}: ${reason}`)
  }

  #draw(): Request {
    const random = this.#random
    const key = random.of(keyNames)
    const by: Caller = random.of(['administrator', 'user'])
    const chance = random.fraction()
    if (chance < 0.45) {
      const name = random.of(['DescribeKey', 'Encrypt', 'Decrypt'] as const)
      const isByAlias = name !== 'Decrypt' && random.fraction() < 0.4
      return { name, key: isByAlias ? random.of(aliasNames) : key, by }
    }
    if (chance < 0.53) return { name: random.of(['GetKeyPolicy', 'ListGrants', 'ListAliases']), key }
    if (chance < 0.7) return { name: random.of(transitions), key }
    if (chance < 0.78) return { name: 'PutKeyPolicy', key, allows: random.fraction() < 0.4 }
    if (chance < 0.88) {
      return { name: random.of(['CreateAlias', 'UpdateAlias', 'DeleteAlias']), alias: random.of(aliasNames), key }
    }
    const [grant, id] = random.of([...this.#grants, [undefined, undefined]])
    if (id === undefined || random.fraction() < 0.3) return this.#newGrant(key)
    const name = random.of(['RevokeGrant', 'RetireGrant'] as const)
    return { name, grant: grant!, key: grant!.split('-')[0]!, by: name === 'RetireGrant' ? by : 'administrator' }
  }

  #newGrant(key: string): Request {
    const grant = `${key}-g${++this.#grantCount}`
    this.#grants.set(grant, undefined)
    return { name: 'CreateGrant', grant, key, by: 'administrator' }
  }

  /** What the model answers; undefined if the outcome is unknown. */
  async #ask(request: Request): Promise<string | undefined> {
    const client = 'by' in request ? this.#clients[request.by] : this.#clients.administrator
    const answer = await client.call(this.#url(), request.name, this.#input(request))
    if (isUnknown(answer)) return this.#lose(request, `${answer.status} ${answer.code} ${answer.output.message}`)
    return answer.code ?? this.#output(request, answer.output)
  }

  #input(request: Request): object {
    const key = this.#keys.get(request.key)
    const KeyId = key?.id ?? this.#alias(request.key)
    switch (request.name) {
      case 'Encrypt':
        return { KeyId, Plaintext: plaintext }
      case 'Decrypt':
        return { KeyId, CiphertextBlob: key!.blob }
      case 'PutKeyPolicy':
        return { KeyId, Policy: request.allows ? policyAllowing(this.#clients.userArn) : defaultKeyPolicy(home, 'aws') }
      case 'CreateAlias':
      case 'UpdateAlias':
        return { AliasName: this.#alias(request.alias), TargetKeyId: KeyId }
      case 'DeleteAlias':
        return { AliasName: this.#alias(request.alias) }
      case 'CreateGrant':
        return { KeyId, Name: request.grant, ...this.#grantee() }
      case 'RevokeGrant':
      case 'RetireGrant':
        return { KeyId: key!.arn, GrantId: this.#grants.get(request.grant) }
      default:
        return { KeyId }
    }
  }

  /** Aliases of other partitions have other names. */
  #alias(name: string): string {
    return `${name}-${this.#name}`
  }

  #grantee(): object {
    const { userArn } = this.#clients
    const Operations = ['Encrypt', 'Decrypt', 'DescribeKey']
    return { GranteePrincipal: userArn, RetiringPrincipal: userArn, Operations }
  }

  #output(request: Request, output: Answer['output']): string {
    switch (request.name) {
      case 'Encrypt':
      case 'Decrypt':
        return this.#keyOf(output.KeyId as string)
      case 'DescribeKey': {
        const { Arn, KeyState } = output.KeyMetadata as { Arn: string; KeyState: string }
        return `${this.#keyOf(Arn)} ${KeyState}`
      }
      case 'GetKeyPolicy':
        return (output.Policy as string).includes(this.#clients.userArn) ? 'allows' : 'does not allow'
      case 'ListAliases': {
        const suffix = `-${this.#name}`
        const names = (output.Aliases as { AliasName: string }[]).map(({ AliasName }) => AliasName)
        return listed(names.map(name => name.slice(0, -suffix.length)))
      }
      case 'ListGrants': {
        const grants = output.Grants as { Name: string; GrantId: string }[]
        for (const { Name, GrantId } of grants) this.#grants.set(Name, GrantId)
        return listed(grants.map(({ Name }) => Name))
      }
      case 'CreateGrant':
        this.#grants.set(request.grant, output.GrantId as string)
        return 'ok'
      default:
        return 'ok'
    }
  }

  #keyOf(arn: string): string {
    const [name] = [...this.#keys].find(([, key]) => key.arn === arn) ?? [arn]
    return name
  }
}

/** Keys would be pending deletion or disabled nearly always, were all as frequent. */
const transitions = [
  'EnableKey',
  'EnableKey',
  'EnableKey',
  'EnableKey',
  'DisableKey',
  'DisableKey',
  'ScheduleKeyDeletion',
  'CancelKeyDeletion',
  'CancelKeyDeletion',
] as const
