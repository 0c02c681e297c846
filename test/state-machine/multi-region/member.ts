/**
 * Multi-Region keys over time, in the words of AWS: KMS Developer Guide, "Multi-Region keys in AWS KMS" and "Importing key material into
 * multi-Region keys". It knows nothing of src/, which is compared with it.
 */
import type { ImportType, KeyState, RotationType } from '@aws-sdk/client-kms'
import { day, type Kind, maxOnDemandRotations, type Refusal } from '../model.ts'

export const regions = ['us-east-1', 'eu-west-1', 'ap-southeast-2'] as const
export type Region = (typeof regions)[number]

/** Shared by related keys. */
export interface Material {
  /** Of the model. */
  readonly name: number
  /** Of imported material: which of the secrets. */
  readonly secret?: number
  rotation?: { readonly RotationType: RotationType; readonly RotationDate: number }
}

/** The key of a Region, with what it has for itself. */
interface RegionalKey {
  enabled: boolean
  deletionDate?: number | undefined
  /** Of a primary key that is pending the deletion of its replica keys. */
  waitingDays?: number | undefined
  /** Imported materials that it has, by their names. */
  readonly copies: Record<number, { readonly validTo: number | undefined }>
}

/** Related keys, with what they share. */
export interface Family {
  readonly id: string
  readonly account: string
  readonly kind: Kind
  primary: Region
  readonly keys: Partial<Record<Region, RegionalKey>>
  /** Oldest first; the last is the current one. */
  readonly materials: Material[]
  pending?: Material | undefined
  rotation?: { readonly periodInDays: number; next: number } | undefined
  /** Names of imported materials by their secrets: one that was forgotten has its KeyMaterialId again when it comes back. */
  readonly names: Record<number, number>
}

let names = 0

/** Of a new material. */
export function newName(): number {
  return names++
}

/** One key of a family, or the place where one may come to be. */
export class Member {
  readonly family: Family
  readonly region: Region

  constructor(family: Family, region: Region) {
    this.family = family
    this.region = region
  }

  get arn(): string {
    return `arn:aws:kms:${this.region}:${this.family.account}:key/${this.family.id}`
  }

  get key(): RegionalKey | undefined {
    return this.family.keys[this.region]
  }

  get isPrimary(): boolean {
    return this.family.primary === this.region
  }

  get isExternal(): boolean {
    return this.family.kind.Origin === 'EXTERNAL'
  }

  get isSymmetric(): boolean {
    return this.family.kind.KeySpec === 'SYMMETRIC_DEFAULT'
  }

  /** All materials, as ListKeyRotations lists them. */
  get listed(): readonly Material[] {
    const { materials, pending } = this.family
    return pending ? [...materials, pending] : materials
  }

  /** Of related keys, in whatever order. */
  get related(): readonly Member[] {
    return membersOf(this.family).filter(({ region }) => region !== this.region)
  }

  has(material: Material): boolean {
    return !this.isExternal || this.key?.copies[material.name] !== undefined
  }

  get lacksMaterial(): boolean {
    const { materials } = this.family
    return materials.length === 0 || materials.some(material => !this.has(material))
  }

  get state(): KeyState {
    const { deletionDate, waitingDays, enabled } = this.key!
    if (waitingDays !== undefined) return 'PendingReplicaDeletion'
    if (deletionDate !== undefined) return 'PendingDeletion'
    if (this.lacksMaterial) return 'PendingImport'
    return enabled ? 'Enabled' : 'Disabled'
  }

  get pendingEverywhere(): boolean {
    const { pending } = this.family
    return pending !== undefined && membersOf(this.family).every(member => member.has(pending))
  }

  /** Of every operation that names the key. */
  get unknown(): Refusal {
    return this.key ? undefined : `NotFoundException: Key '${this.arn}' does not exist`
  }

  get #isPendingDeletion(): boolean {
    return this.state === 'PendingDeletion' || this.state === 'PendingReplicaDeletion'
  }

  get #pendingDeletion(): Refusal {
    return this.#isPendingDeletion ? `KMSInvalidStateException: ${this.arn} is pending deletion.` : undefined
  }

  get #pendingImport(): Refusal {
    return this.state === 'PendingImport' ? `KMSInvalidStateException: ${this.arn} is pending import.` : undefined
  }

  get #disabled(): Refusal {
    return this.state === 'Disabled' ? `DisabledException: ${this.arn} is disabled.` : undefined
  }

  get unusable(): Refusal {
    return this.unknown ?? this.#pendingDeletion ?? this.#pendingImport ?? this.#disabled
  }

  get #wrongOrigin(): Refusal {
    const { arn, family } = this
    return `UnsupportedOperationException: ${arn} origin is ${family.kind.Origin} which is not valid for this operation.`
  }

  get #replica(): Refusal {
    return this.isPrimary ? undefined : 'UnsupportedOperationException'
  }

  enable(enabled: boolean): Refusal {
    const refusal = this.unknown ?? this.#pendingDeletion ?? this.#pendingImport
    if (refusal === undefined) this.key!.enabled = enabled
    return refusal
  }

  replicate(region: Region): Refusal {
    const { family, unusable } = this
    const refusal = unusable ?? this.#replica
    if (refusal !== undefined) return refusal
    if (region === this.region) return 'UnsupportedOperationException'
    if (family.keys[region]) return 'AlreadyExistsException'
    family.keys[region] = { enabled: true, copies: {} }
    return undefined
  }

  promote(region: Region): Refusal {
    const { family, unusable } = this
    const refusal = unusable ?? this.#replica
    if (refusal !== undefined) return refusal
    const successor = new Member(family, region)
    if (successor.key === undefined) return 'NotFoundException'
    if (region === this.region) return 'UnsupportedOperationException'
    if (successor.unusable) return successor.unusable
    family.primary = region
    return undefined
  }

  scheduleDeletion(days: number, now: number): Refusal {
    const { key, unknown, related } = this
    const refusal = unknown ?? this.#pendingDeletion
    if (refusal !== undefined) return refusal
    if (this.isPrimary && related.length > 0) key!.waitingDays = days
    else key!.deletionDate = now + days * day
    return undefined
  }

  cancelDeletion(): Refusal {
    const { key, unknown } = this
    if (unknown) return unknown
    if (!this.#isPendingDeletion) return `KMSInvalidStateException: ${this.arn} is not pending deletion.`
    Object.assign(key!, { waitingDays: undefined, deletionDate: undefined, enabled: false })
    return undefined
  }

  enableRotation(periodInDays: number, now: number): Refusal {
    const refusal = this.unknown ?? (this.isExternal ? this.#wrongOrigin : undefined) ?? this.unusable
    if (refusal !== undefined) return refusal
    if (!this.isSymmetric || !this.isPrimary) return 'UnsupportedOperationException'
    const { family } = this
    if (family.rotation?.periodInDays !== periodInDays)
      family.rotation = { periodInDays, next: now + periodInDays * day }
    return undefined
  }

  disableRotation(): Refusal {
    const refusal = this.unknown ?? (this.isExternal ? this.#wrongOrigin : undefined) ?? this.unusable ?? this.#replica
    if (refusal === undefined) this.family.rotation = undefined
    return refusal
  }

  /** Of GetKeyRotationStatus. */
  get rotationStatus(): Refusal {
    return this.unknown ?? (this.isExternal ? this.#wrongOrigin : undefined)
  }

  rotateOnDemand(now: number): Refusal {
    const { unusable, family } = this
    if (unusable !== undefined) return unusable
    if (!this.isSymmetric || !this.isPrimary) return 'UnsupportedOperationException'
    const past = family.materials.filter(({ rotation }) => rotation?.RotationType === 'ON_DEMAND')
    if (past.length >= maxOnDemandRotations) return 'LimitExceededException'
    if (this.isExternal && !this.pendingEverywhere) return 'KMSInvalidStateException'
    rotate(family, family.pending ?? { name: newName() }, 'ON_DEMAND', now)
    family.pending = undefined
    return undefined
  }

  /** Of GetParametersForImport, and of ImportKeyMaterial whatever the material. */
  get noImport(): Refusal {
    return this.unknown ?? (this.isExternal ? undefined : this.#wrongOrigin) ?? this.#pendingDeletion
  }

  import(secret: number, type: ImportType | undefined, validTo: number | undefined): Refusal {
    const { family, noImport } = this
    if (noImport !== undefined) return noImport
    const isNew = type === undefined ? family.materials.length === 0 : type === 'NEW_KEY_MATERIAL'
    if (isNew && !this.isPrimary) return 'UnsupportedOperationException'
    const known = this.listed.find(material => material.secret === secret)
    if (isNew === (known !== undefined)) return 'IncorrectKeyMaterialException'
    if (isNew && family.pending) return 'KMSInvalidStateException'
    const waited = this.lacksMaterial
    const material = known ?? this.#named(secret)
    if (isNew && family.materials.length > 0) family.pending = material
    else if (isNew) family.materials.push(material)
    this.key!.copies[material.name] = { validTo }
    if (waited && !this.lacksMaterial) this.key!.enabled = true
    return undefined
  }

  #named(secret: number): Material {
    this.family.names[secret] ??= newName()
    return { name: this.family.names[secret], secret }
  }

  /** @param name the current one's if undefined */
  deleteMaterial(name: number | undefined): Refusal {
    const refusal = this.unknown ?? (this.isExternal ? undefined : this.#wrongOrigin)
    if (refusal === undefined) this.#lose(name ?? this.family.materials.at(-1)?.name)
    return refusal
  }

  /** What is pending rotation is forgotten everywhere once the primary key loses it. */
  #lose(name: number | undefined): void {
    const { family } = this
    const isForgotten = this.isPrimary && name !== undefined && name === family.pending?.name
    if (isForgotten) family.pending = undefined
    for (const { key } of isForgotten ? membersOf(family) : [this]) if (name !== undefined) delete key!.copies[name]
  }

  /** When something happens by itself next; the rotation of a disabled key, once it is enabled again. */
  get due(): number {
    const { deletionDate, copies } = this.key!
    const rotation = this.isPrimary && this.state === 'Enabled' ? this.family.rotation?.next : undefined
    const dates = [deletionDate, rotation, ...Object.values(copies).map(({ validTo }) => validTo)]
    return Math.min(...dates.filter(date => date !== undefined))
  }

  /** What happens by itself. */
  reach(now: number): void {
    const { family, key } = this
    for (const [name, { validTo }] of Object.entries(key!.copies))
      if (validTo !== undefined && validTo <= now) this.#lose(Number(name))
    const { rotation } = family
    if (this.isPrimary && this.state === 'Enabled' && rotation && rotation.next <= now) {
      rotate(family, { name: newName() }, 'AUTOMATIC', now)
      rotation.next = (now - rotation.next < day ? rotation.next : now) + rotation.periodInDays * day
    }
    if ((key!.deletionDate ?? now + 1) > now) return
    delete family.keys[this.region]
    const primary = family.keys[family.primary]
    if (primary?.waitingDays === undefined || this.related.length > 1) return
    primary.deletionDate = now + primary.waitingDays * day
    primary.waitingDays = undefined
  }
}

export function membersOf(family: Family): readonly Member[] {
  return regions.filter(region => family.keys[region]).map(region => new Member(family, region))
}

function rotate({ materials }: Family, material: Material, RotationType: RotationType, RotationDate: number): void {
  materials.push({ ...material, rotation: { RotationType, RotationDate } })
}
