/** The gateway and the model side by side: each step is done with both, and then they must agree on everything. */

import { isDeepStrictEqual } from 'node:util'
import type { ExpirationModelType, KMS, RotationsListEntry } from '@aws-sdk/client-kms'
import { expect } from 'vitest'
import { refusal } from '../end-to-end/requests.ts'
import { oneOf } from './draws.ts'
import { day, type Kind, type Made, type Material, Model, ModelKey, type Refusal, second } from './model.ts'
import type { RunningGateway } from './running-gateway.ts'
import { type Form, type Product, useOf } from './uses.ts'

/** Longer than the interval of the jobs that something is due for. */
const interval = 61 * second

/** So far. */
let worlds = 0

/** A call, and what the model says to it. */
export interface Step {
  call(kms: KMS): Promise<unknown>
  decide(model: Model): Refusal
}

export class World {
  model = new Model()
  readonly gateway: RunningGateway
  readonly #number = worlds++
  readonly #products: Product[] = []
  /** KeyMaterialIds by the names of the model, once they were told. */
  #ids = new Map<number, string>()

  constructor(gateway: RunningGateway) {
    this.gateway = gateway
  }

  get now(): number {
    return this.gateway.time.now
  }

  get keys(): readonly ModelKey[] {
    return [...this.model.keys.values()]
  }

  /** One of the keys that are not deleted, or the one deleted last. */
  key(number: number): ModelKey | undefined {
    const keys = this.keys
    return oneOf(
      [...keys.filter(({ deleted }) => !deleted), ...keys.filter(({ deleted }) => deleted).slice(-1)],
      number,
    )
  }

  /** Of this world. */
  aliasName(number: number): string {
    return `alias/${this.#number}/${number}`
  }

  idOf(material: Material): string | undefined {
    return this.#ids.get(material.name)
  }

  async create(kind: Kind): Promise<void> {
    const arn = (await this.gateway.kms.createKey(kind)).KeyMetadata!.Arn!
    this.model.keys.set(arn, new ModelKey(arn, kind))
  }

  /** Encrypts, signs or the like. @param KeyId the key's ARN, or an alias that names it */
  use(key: ModelKey, form: Form, KeyId = key.arn): Step {
    const number = this.#products.length++
    return {
      call: async kms => {
        this.#products[number] = await useOf(key.kind)(kms, KeyId, form)
      },
      decide: model => model.use(key.arn, number),
    }
  }

  /** The call has the outcome that the model says. */
  async take(step: Step): Promise<Refusal> {
    const outcome = await refusal(step.call(this.gateway.kms))
    const expected = step.decide(this.model)
    expect(outcome).toBe(inWords(expected, outcome))
    return expected
  }

  /** Two calls at once have the outcomes that they have in one or the other order. */
  async takeAtOnce(steps: readonly [Step, Step]): Promise<void> {
    const { kms } = this.gateway
    const outcomes = await Promise.all(steps.map(step => refusal(step.call(kms))))
    const futures = [steps, steps.toReversed()].map(order => {
      const model = this.model.clone()
      const expected = new Map(order.map(step => [step, step.decide(model)]))
      return { model, expected: steps.map((step, index) => inWords(expected.get(step), outcomes[index]!)) }
    })
    expect(futures.map(({ expected }) => expected)).toContainEqual(outcomes)
    const fitting = futures.filter(({ expected }) => isDeepStrictEqual(expected, outcomes))
    await this.#settleOn(fitting.map(({ model }) => model))
  }

  /** While the HSM misbehaves, a call has its usual outcome, or fails and has changed nothing. */
  async takeWithFault(rule: string, step: Step): Promise<void> {
    const { kms, faults } = this.gateway
    faults.set(rule)
    const outcome = await refusal(step.call(kms))
    faults.clear()
    // A worker that has crashed is replaced.
    const answers = () => refusal(this.gateway.kms.generateRandom({ NumberOfBytes: 1 }))
    await expect.poll(answers, { timeout: 30_000 }).toBe('no refusal')
    const after = this.model.clone()
    const expected = step.decide(after)
    if (outcome === inWords(expected, outcome)) this.model = after
    else expect(outcome).toMatch(/^(KMSInternal|DependencyTimeout|KeyUnavailable|Throttling)Exception/)
  }

  /** The first model that the gateway agrees with. */
  async #settleOn([model, ...others]: readonly Model[]): Promise<void> {
    const ids = new Map(this.#ids)
    this.model = model!
    try {
      await this.compare()
    } catch (error) {
      if (others.length === 0) throw error
      this.#ids = ids
      await this.#settleOn(others)
    }
  }

  /** Deletes every key. Resolves to their ids when nothing of them should be left on the HSM. */
  async end(): Promise<readonly string[]> {
    const left = this.keys.filter(({ deletionDate }) => deletionDate === undefined)
    const PendingWindowInDays = 7
    for (const { arn: KeyId } of left) {
      const deletionDate = this.now + PendingWindowInDays * day
      await this.take({
        call: kms => kms.scheduleKeyDeletion({ KeyId, PendingWindowInDays }),
        decide: ({ keys }) => keys.get(KeyId)!.scheduleDeletion(deletionDate),
      })
    }
    await this.pass(31 * day)
    await this.compare()
    // One job marks what another destroys; on a busy machine an HSM call may have to be repeated.
    for (let times = 0; times < 3; times++) await this.pass(interval)
    return this.keys.map(({ arn }) => arn.split('/')[1]!)
  }

  /** Each thing that becomes due on the way happens at its time. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.now + milliseconds
    while (this.now < end) {
      const due = Math.max(this.model.due, this.now)
      const next = Math.min(due + interval, end)
      await this.gateway.time.moveTo(next)
      this.model.reach(next)
    }
  }

  /** Everything that the gateway tells is what the model says. */
  async compare(): Promise<void> {
    const { keys } = this
    await Promise.all(keys.map(key => this.#compareRotations(key)))
    await Promise.all([
      ...keys.map(key => this.#compareMetadata(key)),
      ...keys.map(key => this.#compareStatus(key)),
      ...this.model.made.map(made => this.#compareProduct(made)),
      this.#compareAliases(),
    ])
  }

  async #read<T>(expected: Refusal, call: Promise<T>): Promise<T | undefined> {
    const outcome = await refusal(call)
    expect(outcome).toBe(inWords(expected, outcome))
    return expected === undefined ? call : undefined
  }

  async #compareProduct({ arn, material, product }: Made): Promise<void> {
    const key = this.model.keys.get(arn)!
    const { open, refusedWithoutKey } = this.#products[product]!
    const expected = key.deleted ? (refusedWithoutKey ?? key.unknown) : key.unusable
    const opened = await this.#read(expected, open(this.gateway.kms))
    if (opened?.KeyMaterialId) expect(opened.KeyMaterialId).toBe(this.#ids.get(material))
  }

  async #compareMetadata(key: ModelKey): Promise<void> {
    const described = await this.#read(key.unknown, this.gateway.kms.describeKey({ KeyId: key.arn }))
    if (described === undefined) return
    const { KeyState, Enabled, DeletionDate, CurrentKeyMaterialId, ExpirationModel, ValidTo } = described.KeyMetadata!
    expect({
      KeyState,
      Enabled,
      DeletionDate: DeletionDate?.getTime(),
      CurrentKeyMaterialId,
      ExpirationModel,
      ValidTo: ValidTo?.getTime(),
    }).toEqual({
      KeyState: key.state,
      Enabled: key.state === 'Enabled',
      DeletionDate: key.deletionDate,
      CurrentKeyMaterialId: key.isSymmetric && key.current ? this.#ids.get(key.current.name) : undefined,
      ...expiration(key),
    })
  }

  async #compareStatus(key: ModelKey): Promise<void> {
    const status = await this.#read(key.rotationStatus, this.gateway.kms.getKeyRotationStatus({ KeyId: key.arn }))
    if (status === undefined) return
    const rotation = key.state === 'PendingDeletion' ? undefined : key.rotation
    const { $metadata, ...members } = status
    expect(members).toEqual({
      KeyId: key.arn,
      KeyRotationEnabled: rotation !== undefined,
      RotationPeriodInDays: rotation?.periodInDays,
      NextRotationDate: rotation && new Date(rotation.next),
    })
  }

  async #compareRotations(key: ModelKey): Promise<void> {
    const refused = key.unknown ?? (key.isSymmetric ? undefined : 'UnsupportedOperationException')
    const { kms } = this.gateway
    const all = kms.listKeyRotations({ KeyId: key.arn, IncludeKeyMaterial: 'ALL_KEY_MATERIAL' })
    const entries = (await this.#read(refused, all))?.Rotations
    if (entries === undefined) return
    expect(entries.length).toBe(key.listed.length)
    for (const [position, material] of key.listed.entries()) this.#learn(material, entries[position]!.KeyMaterialId!)
    expect(entries).toEqual(key.listed.map(material => this.#entry(key, material)))
    const { Rotations } = await this.gateway.kms.listKeyRotations({ KeyId: key.arn })
    expect(Rotations).toEqual(entries.filter(({ RotationDate }) => RotationDate !== undefined))
  }

  #entry(key: ModelKey, material: Material): RotationsListEntry {
    const { rotation, present } = material
    const state = material === key.current ? 'CURRENT' : 'NON_CURRENT'
    const { ExpirationModel, ValidTo } = expirationOf(material)
    return {
      KeyId: key.arn,
      KeyMaterialId: this.#ids.get(material.name)!,
      KeyMaterialState: material === key.pending ? 'PENDING_ROTATION' : state,
      ...(rotation && { ...rotation, RotationDate: new Date(rotation.RotationDate) }),
      ...(key.isExternal && { ImportState: present ? 'IMPORTED' : 'PENDING_IMPORT' }),
      ...(key.isExternal && present && { ExpirationModel }),
      ...(ValidTo !== undefined && { ValidTo: new Date(ValidTo) }),
    }
  }

  #learn({ name }: Material, id: string): void {
    if (this.#ids.has(name)) return
    expect([...this.#ids.values()]).not.toContain(id)
    expect(id).toMatch(/^[0-9a-f]{64}$/)
    this.#ids.set(name, id)
  }

  async #compareAliases(): Promise<void> {
    const { Aliases } = await this.gateway.kms.listAliases({ Limit: 100 })
    const told = Aliases!.filter(({ AliasName }) => this.model.aliases.has(AliasName!))
    const targets = new Map(told.map(({ AliasName, TargetKeyId }) => [AliasName, TargetKeyId]))
    const expected = [...this.model.aliases].map(([name, arn]) => [name, arn.split('/')[1]] as const)
    expect(targets).toEqual(new Map(expected))
  }
}

/** The outcome that fits what the model says: of some refusals, it says the code alone. */
function inWords(expected: Refusal, outcome: string): string {
  if (expected === undefined) return 'no refusal'
  return expected.includes(':') || outcome.split(':')[0] !== expected ? expected : outcome
}

interface Expiration {
  readonly ExpirationModel?: ExpirationModelType
  readonly ValidTo?: number | undefined
}

function expirationOf({ validTo }: Pick<Material, 'validTo'>): Expiration {
  return validTo === undefined
    ? { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' }
    : { ExpirationModel: 'KEY_MATERIAL_EXPIRES', ValidTo: validTo }
}

/** "The earliest time at which any imported key material permanently associated with this KMS key expires." */
function expiration({ isExternal, materials }: ModelKey): Expiration {
  const imported = materials.filter(({ present }) => present)
  if (!isExternal || imported.length === 0) return {}
  const dates = imported.map(({ validTo }) => validTo).filter(date => date !== undefined)
  return expirationOf({ validTo: dates.length === 0 ? undefined : Math.min(...dates) })
}
