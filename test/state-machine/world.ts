/** The gateway and the model of KMS keys side by side. */
import type { ExpirationModelType, RotationsListEntry } from '@aws-sdk/client-kms'
import { expect } from 'vitest'
import { oneOf } from './draws.ts'
import { day, type Kind, type Made, type Material, Model, ModelKey } from './model.ts'
import type { RunningGateway } from './running-gateway.ts'
import { interval, SideBySide, type Step as StepOf } from './side-by-side.ts'
import { type Form, type Product, useOf } from './uses.ts'

/** So far. */
let worlds = 0

export type Step = StepOf<Model>

export class World extends SideBySide<Model> {
  readonly #number = worlds++
  readonly #products: Product[] = []

  constructor(gateway: RunningGateway) {
    super(gateway, new Model())
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

  async #compareProduct({ arn, material, product }: Made): Promise<void> {
    const key = this.model.keys.get(arn)!
    const { open, refusedWithoutKey } = this.#products[product]!
    const expected = key.deleted ? (refusedWithoutKey ?? key.unknown) : key.unusable
    const opened = await this.read(expected, open(this.gateway.kms, arn))
    if (opened?.KeyMaterialId) expect(opened.KeyMaterialId).toBe(this.idOf(material))
  }

  async #compareMetadata(key: ModelKey): Promise<void> {
    const described = await this.read(key.unknown, this.gateway.kms.describeKey({ KeyId: key.arn }))
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
      CurrentKeyMaterialId: key.isSymmetric && key.current ? this.idOf(key.current.name) : undefined,
      ...expiration(key),
    })
  }

  async #compareStatus(key: ModelKey): Promise<void> {
    const status = await this.read(key.rotationStatus, this.gateway.kms.getKeyRotationStatus({ KeyId: key.arn }))
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
    const entries = (await this.read(refused, all))?.Rotations
    if (entries === undefined) return
    expect(entries.length).toBe(key.listed.length)
    for (const [position, material] of key.listed.entries())
      this.learn(material.name, entries[position]!.KeyMaterialId!)
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
      KeyMaterialId: this.idOf(material.name)!,
      KeyMaterialState: material === key.pending ? 'PENDING_ROTATION' : state,
      ...(rotation && { ...rotation, RotationDate: new Date(rotation.RotationDate) }),
      ...(key.isExternal && { ImportState: present ? 'IMPORTED' : 'PENDING_IMPORT' }),
      ...(key.isExternal && present && { ExpirationModel }),
      ...(ValidTo !== undefined && { ValidTo: new Date(ValidTo) }),
    }
  }

  async #compareAliases(): Promise<void> {
    const { Aliases } = await this.gateway.kms.listAliases({ Limit: 100 })
    const told = Aliases!.filter(({ AliasName }) => this.model.aliases.has(AliasName!))
    const targets = new Map(told.map(({ AliasName, TargetKeyId }) => [AliasName, TargetKeyId]))
    const expected = [...this.model.aliases].map(([name, arn]) => [name, arn.split('/')[1]] as const)
    expect(targets).toEqual(new Map(expected))
  }
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
