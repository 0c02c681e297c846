/**
 * KMS keys over time, in the words of AWS: KMS Developer Guide, "Key states of AWS KMS keys", "Rotate AWS KMS keys", "Importing key
 * material" and "Delete an AWS KMS key". It knows nothing of src/, which is compared with it.
 */
import type { ImportType, KeySpec, KeyState, KeyUsageType, OriginType, RotationType } from '@aws-sdk/client-kms'

export const second = 1000
export const day = 86_400 * second
/** AWS KMS quotas: on-demand rotations of a key. */
export const maxOnDemandRotations = 25
/** An error as `Code: message`, or its code alone if its message is not AWS's; undefined if the call succeeds. */
export type Refusal = string | undefined

export interface Kind {
  readonly KeySpec: KeySpec
  readonly KeyUsage: KeyUsageType
  readonly Origin: OriginType
}

export interface Material {
  /** Of the model. */
  readonly name: number
  /** Of imported material: which of the secrets. */
  readonly secret?: number
  present: boolean
  validTo?: number | undefined
  rotation?: { readonly RotationType: RotationType; readonly RotationDate: number }
}

let materials = 0

function newMaterial(): Material {
  return { name: materials++, present: true }
}

export class ModelKey {
  readonly arn: string
  readonly kind: Kind
  enabled = true
  deletionDate?: number | undefined
  deleted = false
  /** Oldest first; the last is the current one. */
  readonly materials: Material[] = []
  pending?: Material | undefined
  rotation?: { readonly periodInDays: number; next: number } | undefined
  /** Names of imported materials by their secrets: one that was forgotten has its KeyMaterialId again when it comes back. */
  readonly names: Record<number, number> = {}

  constructor(arn: string, kind: Kind) {
    this.arn = arn
    this.kind = kind
    if (!this.isExternal) this.materials.push(newMaterial())
  }

  clone(): ModelKey {
    return Object.assign(new ModelKey(this.arn, this.kind), structuredClone({ ...this }))
  }

  get isExternal(): boolean {
    return this.kind.Origin === 'EXTERNAL'
  }

  get isSymmetric(): boolean {
    return this.kind.KeySpec === 'SYMMETRIC_DEFAULT'
  }

  get current(): Material | undefined {
    return this.materials.at(-1)
  }

  get lacksMaterial(): boolean {
    return this.materials.length === 0 || this.materials.some(({ present }) => !present)
  }

  get state(): KeyState {
    if (this.deletionDate !== undefined) return 'PendingDeletion'
    if (this.lacksMaterial) return 'PendingImport'
    return this.enabled ? 'Enabled' : 'Disabled'
  }

  /** Of every operation that names the key. */
  get unknown(): Refusal {
    return this.deleted ? `NotFoundException: Key '${this.arn}' does not exist` : undefined
  }

  get #pendingDeletion(): Refusal {
    return this.state === 'PendingDeletion' ? `KMSInvalidStateException: ${this.arn} is pending deletion.` : undefined
  }

  get #pendingImport(): Refusal {
    return this.state === 'PendingImport' ? `KMSInvalidStateException: ${this.arn} is pending import.` : undefined
  }

  get #disabled(): Refusal {
    return this.state === 'Disabled' ? `DisabledException: ${this.arn} is disabled.` : undefined
  }

  /** Of cryptographic operations. */
  get unusable(): Refusal {
    return this.unknown ?? this.#pendingDeletion ?? this.#pendingImport ?? this.#disabled
  }

  /** Of aliases that shall name it. */
  get unchangeable(): Refusal {
    return this.#pendingDeletion
  }

  /** Of an alias that shall name the other key instead: same type, same usage. */
  noSuccessor({ kind }: ModelKey): Refusal {
    const type = (spec: string) => (/^(SYMMETRIC|HMAC)/.exec(spec) ?? ['asymmetric'])[0]
    const fits = kind.KeyUsage === this.kind.KeyUsage && type(kind.KeySpec) === type(this.kind.KeySpec)
    return fits ? undefined : 'ValidationException'
  }

  get #wrongOrigin(): Refusal {
    const { arn, kind } = this
    return `UnsupportedOperationException: ${arn} origin is ${kind.Origin} which is not valid for this operation.`
  }

  enable(enabled: boolean): Refusal {
    const refusal = this.unknown ?? this.#pendingDeletion ?? this.#pendingImport
    if (refusal === undefined) this.enabled = enabled
    return refusal
  }

  scheduleDeletion(date: number): Refusal {
    const refusal = this.unknown ?? this.#pendingDeletion
    if (refusal === undefined) this.deletionDate = date
    return refusal
  }

  cancelDeletion(): Refusal {
    if (this.unknown) return this.unknown
    if (this.deletionDate === undefined) return `KMSInvalidStateException: ${this.arn} is not pending deletion.`
    this.deletionDate = undefined
    this.enabled = false
    return undefined
  }

  enableRotation(periodInDays: number, now: number): Refusal {
    const refusal = this.unknown ?? (this.isExternal ? this.#wrongOrigin : undefined) ?? this.unusable
    if (refusal !== undefined) return refusal
    if (!this.isSymmetric) return 'UnsupportedOperationException'
    // AWS does not document what the same period again does: here, nothing.
    if (this.rotation?.periodInDays !== periodInDays) this.rotation = { periodInDays, next: now + periodInDays * day }
    return undefined
  }

  disableRotation(): Refusal {
    const refusal = this.unknown ?? (this.isExternal ? this.#wrongOrigin : undefined) ?? this.unusable
    if (refusal === undefined) this.rotation = undefined
    return refusal
  }

  /** Of GetKeyRotationStatus. */
  get rotationStatus(): Refusal {
    return this.unknown ?? (this.isExternal ? this.#wrongOrigin : undefined)
  }

  rotateOnDemand(now: number): Refusal {
    const { arn, unusable, pending } = this
    if (unusable !== undefined) return unusable
    if (!this.isSymmetric) return 'UnsupportedOperationException'
    const past = this.materials.filter(({ rotation }) => rotation?.RotationType === 'ON_DEMAND')
    if (past.length >= maxOnDemandRotations) return 'LimitExceededException'
    const missing = `KMSInvalidStateException: No available key material pending rotation for the key: ${arn}.`
    if (this.isExternal && pending === undefined) return missing
    this.#rotate(pending ?? newMaterial(), 'ON_DEMAND', now)
    this.pending = undefined
    return undefined
  }

  #rotate(material: Material, RotationType: RotationType, RotationDate: number): void {
    material.rotation = { RotationType, RotationDate }
    this.materials.push(material)
  }

  /** Of GetParametersForImport, and of ImportKeyMaterial whatever the material. */
  get noImport(): Refusal {
    return this.unknown ?? (this.isExternal ? undefined : this.#wrongOrigin) ?? this.#pendingDeletion
  }

  import(secret: number, type: ImportType | undefined, validTo: number | undefined): Refusal {
    const { materials, pending, noImport } = this
    if (noImport !== undefined) return noImport
    const isNew = type === undefined ? materials.length === 0 : type === 'NEW_KEY_MATERIAL'
    const known = [...materials, ...(pending ? [pending] : [])].find(material => material.secret === secret)
    if (isNew === (known !== undefined)) return 'IncorrectKeyMaterialException'
    if (isNew && pending) return 'KMSInvalidStateException'
    const waited = this.lacksMaterial
    const imported = Object.assign(known ?? this.#named(secret), { present: true, validTo })
    if (isNew && materials.length > 0) this.pending = imported
    else if (isNew) materials.push(imported)
    if (waited && !this.lacksMaterial) this.enabled = true
    return undefined
  }

  #named(secret: number): Material {
    this.names[secret] ??= newMaterial().name
    return { name: this.names[secret], secret, present: true }
  }

  /** @param name the current one's if undefined */
  deleteMaterial(name: number | undefined): Refusal {
    const refusal = this.unknown ?? (this.isExternal ? undefined : this.#wrongOrigin)
    const found = name === undefined ? this.current : this.listed.find(material => material.name === name)
    if (refusal === undefined) this.#lose(found)
    return refusal
  }

  /** Material that is pending rotation is not associated with the key for good: it is forgotten. */
  #lose(material: Material | undefined): void {
    if (material === undefined) return
    if (material === this.pending) this.pending = undefined
    material.present = false
    material.validTo = undefined
  }

  /** All materials, as ListKeyRotations lists them. */
  get listed(): readonly Material[] {
    return this.pending ? [...this.materials, this.pending] : this.materials
  }

  /** When something happens by itself next; of a disabled key, once it is enabled again. */
  get due(): number {
    if (this.deleted) return Number.POSITIVE_INFINITY
    const rotation = this.state === 'Enabled' ? this.rotation?.next : undefined
    const dates = [this.deletionDate, rotation, ...this.listed.map(({ validTo }) => validTo)]
    return Math.min(...dates.filter(date => date !== undefined))
  }

  /** What happens by itself. */
  reach(now: number): void {
    if (this.deletionDate !== undefined && this.deletionDate <= now) this.deleted = true
    for (const material of this.listed) {
      if (material.validTo !== undefined && material.validTo <= now) this.#lose(material)
    }
    const { rotation, state } = this
    if (rotation === undefined || state !== 'Enabled' || rotation.next > now) return
    this.#rotate(newMaterial(), 'AUTOMATIC', now)
    rotation.next = (now - rotation.next < day ? rotation.next : now) + rotation.periodInDays * day
  }
}

/** What was made with a key: its current material then, and the number of the result. */
export interface Made {
  readonly arn: string
  readonly material: number
  readonly product: number
}

export class Model {
  /** By their ARNs. */
  readonly keys = new Map<string, ModelKey>()
  /** ARNs of keys by names of aliases. */
  readonly aliases = new Map<string, string>()
  readonly made: Made[] = []

  clone(): Model {
    const copy = new Model()
    for (const [arn, key] of this.keys) copy.keys.set(arn, key.clone())
    for (const [name, arn] of this.aliases) copy.aliases.set(name, arn)
    copy.made.push(...this.made)
    return copy
  }

  use(arn: string, product: number): Refusal {
    const key = this.keys.get(arn)!
    const refusal = key.unusable
    if (refusal === undefined) this.made.push({ arn, material: key.current!.name, product })
    return refusal
  }

  createAlias(name: string, arn: string): Refusal {
    const key = this.keys.get(arn)!
    const refusal = key.unknown ?? key.unchangeable ?? (this.aliases.has(name) ? 'AlreadyExistsException' : undefined)
    if (refusal === undefined) this.aliases.set(name, arn)
    return refusal
  }

  updateAlias(name: string, arn: string): Refusal {
    const [former, key] = [this.keys.get(this.aliases.get(name) ?? ''), this.keys.get(arn)!]
    if (former === undefined) return 'NotFoundException'
    const refusal = key.unknown ?? key.unchangeable ?? former.noSuccessor(key)
    if (refusal === undefined) this.aliases.set(name, arn)
    return refusal
  }

  /** When something happens by itself next. */
  get due(): number {
    return Math.min(...[...this.keys.values()].map(({ due }) => due))
  }

  /** What happens by itself until then. */
  reach(now: number): void {
    for (const key of this.keys.values()) key.reach(now)
    for (const [name, arn] of this.aliases) if (this.keys.get(arn)!.deleted) this.aliases.delete(name)
  }
}
