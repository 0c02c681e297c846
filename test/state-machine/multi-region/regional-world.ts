/** The gateway and the model of multi-Region keys side by side. */
import type { OriginType, RotationsListEntry } from '@aws-sdk/client-kms'
import { expect } from 'vitest'
import { home } from '../../end-to-end/gateway.ts'
import { oneOf } from '../draws.ts'
import { day, type Kind } from '../model.ts'
import type { RunningGateway } from '../running-gateway.ts'
import { interval, SideBySide, type Step as StepOf } from '../side-by-side.ts'
import { type Form, type Product, useOf } from '../uses.ts'
import { type Family, type Material, Member, membersOf, type Region, regions } from './member.ts'
import { Model } from './model.ts'

export type Step = StepOf<Model>

/** Of a key among related ones. */
export type Place = Region | 'primary'

export class RegionalWorld extends SideBySide<Model> {
  readonly #products: Product[] = []

  constructor(gateway: RunningGateway) {
    super(gateway, new Model())
  }

  /** One of the keys, or a Region where it could be. @param origin if there are keys of it */
  member(number: number, place: Place, origin?: OriginType): Member | undefined {
    const { families } = this.model
    const preferred = families.filter(({ kind }) => kind.Origin === origin)
    const family = oneOf(preferred.length > 0 ? preferred : families, number)
    return family && new Member(family, place === 'primary' ? family.primary : place)
  }

  async create(kind: Kind, region: Region): Promise<Member> {
    const { KeyMetadata } = await this.gateway.kmsIn(region).createKey({ ...kind, MultiRegion: true })
    this.model.create(KeyMetadata!.KeyId!, home, kind, region)
    return new Member(this.model.families.at(-1)!, region)
  }

  /** Encrypts, signs or the like. */
  use({ family, region, arn }: Member, form: Form): Step {
    const number = this.#products.length++
    return {
      region,
      call: async kms => {
        this.#products[number] = await useOf(family.kind)(kms, arn, form)
      },
      decide: model => model.use(model.member(family.id, region), number),
    }
  }

  async end(): Promise<readonly string[]> {
    const days = 7
    for (const { family, region, arn, key } of this.model.members) {
      if (key!.deletionDate !== undefined || key!.waitingDays !== undefined) continue
      const { now } = this
      await this.take({
        region,
        call: kms => kms.scheduleKeyDeletion({ KeyId: arn, PendingWindowInDays: days }),
        decide: model => model.member(family.id, region).scheduleDeletion(days, now),
      })
    }
    // Those of the replica keys, and then that of the primary key.
    await this.pass(61 * day)
    await this.compare()
    expect(this.model.members).toEqual([])
    // One job marks what another destroys; on a busy machine an HSM call may have to be repeated.
    for (let times = 0; times < 3; times++) await this.pass(interval)
    return this.model.families.map(({ id }) => id)
  }

  async compare(): Promise<void> {
    const { members } = this.model
    await Promise.all(members.map(member => this.#compareRotations(member)))
    await Promise.all([
      ...members.map(member => this.#compareMetadata(member)),
      ...members.map(member => this.#compareStatus(member)),
      ...this.model.families.flatMap(family => regions.map(region => this.#compareProducts(family, region))),
    ])
  }

  /** What was made with a key of whatever Region, in one Region. */
  async #compareProducts(family: Family, region: Region): Promise<void> {
    const { arn, key, unusable, unknown } = new Member(family, region)
    for (const { id, material, product } of this.model.made) {
      if (id !== family.id) continue
      const { open, refusedWithoutKey } = this.#products[product]!
      const opened = await this.read(
        key ? unusable : (refusedWithoutKey ?? unknown),
        open(this.gateway.kmsIn(region), arn),
      )
      if (opened?.KeyMaterialId) expect(opened.KeyMaterialId).toBe(this.idOf(material))
    }
  }

  async #compareMetadata(member: Member): Promise<void> {
    const { arn, region, key, state, family } = member
    const { KeyMetadata } = await this.gateway.kmsIn(region).describeKey({ KeyId: arn })
    const { primary, materials } = family
    const nameOf = (member: Member) => ({ Arn: member.arn, Region: member.region })
    const replicas = membersOf(family).filter(({ isPrimary }) => !isPrimary)
    const names = KeyMetadata!.MultiRegionConfiguration?.ReplicaKeys?.toSorted(byRegion)
    expect({ ...KeyMetadata, ReplicaKeys: names }).toMatchObject({
      KeyId: family.id,
      MultiRegion: true,
      MultiRegionConfiguration: {
        MultiRegionKeyType: member.isPrimary ? 'PRIMARY' : 'REPLICA',
        PrimaryKey: nameOf(new Member(family, primary)),
      },
      ReplicaKeys: replicas.map(nameOf).toSorted(byRegion),
      KeyState: state,
      Enabled: state === 'Enabled',
    })
    const { DeletionDate, PendingDeletionWindowInDays, CurrentKeyMaterialId, ExpirationModel, ValidTo } = KeyMetadata!
    expect({
      DeletionDate: DeletionDate?.getTime(),
      PendingDeletionWindowInDays,
      CurrentKeyMaterialId,
      ExpirationModel,
      ValidTo: ValidTo?.getTime(),
    }).toEqual({
      DeletionDate: key!.deletionDate,
      PendingDeletionWindowInDays: key!.waitingDays,
      CurrentKeyMaterialId: member.isSymmetric && materials.length > 0 ? this.idOf(materials.at(-1)!.name) : undefined,
      ...expirationOf(member, materials),
    })
  }

  async #compareStatus({ arn, region, rotationStatus, state, family }: Member): Promise<void> {
    const asked = this.gateway.kmsIn(region).getKeyRotationStatus({ KeyId: arn })
    const status = await this.read(rotationStatus, asked)
    if (status === undefined) return
    const rotation = state.startsWith('Pending') ? undefined : family.rotation
    const { $metadata, ...members } = status
    expect(members).toEqual({
      KeyId: arn,
      KeyRotationEnabled: rotation !== undefined,
      RotationPeriodInDays: rotation?.periodInDays,
      NextRotationDate: rotation && new Date(rotation.next),
    })
  }

  async #compareRotations(member: Member): Promise<void> {
    const { arn: KeyId, region, isSymmetric, listed } = member
    const kms = this.gateway.kmsIn(region)
    const all = kms.listKeyRotations({ KeyId, IncludeKeyMaterial: 'ALL_KEY_MATERIAL' })
    const entries = (await this.read(isSymmetric ? undefined : 'UnsupportedOperationException', all))?.Rotations
    if (entries === undefined) return
    expect(entries.length).toBe(listed.length)
    for (const [position, { name }] of listed.entries()) this.learn(name, entries[position]!.KeyMaterialId!)
    expect(entries).toEqual(listed.map(material => this.#entry(member, material)))
  }

  #entry(member: Member, material: Material): RotationsListEntry {
    const { arn, isExternal } = member
    const { ValidTo, ...expiration } = expirationOf(member, [material])
    return {
      KeyId: arn,
      KeyMaterialId: this.idOf(material.name)!,
      KeyMaterialState: stateOf(member, material),
      ...(material.rotation && { ...material.rotation, RotationDate: new Date(material.rotation.RotationDate) }),
      ...(isExternal && { ImportState: member.has(material) ? 'IMPORTED' : 'PENDING_IMPORT' }),
      ...expiration,
      ...(ValidTo !== undefined && { ValidTo: new Date(ValidTo) }),
    }
  }
}

function stateOf({ family, pendingEverywhere }: Member, { name }: Material): RotationsListEntry['KeyMaterialState'] {
  if (name === family.pending?.name)
    return pendingEverywhere ? 'PENDING_ROTATION' : 'PENDING_MULTI_REGION_IMPORT_AND_ROTATION'
  return name === family.materials.at(-1)!.name ? 'CURRENT' : 'NON_CURRENT'
}

/** Of those of the materials that were imported into the key: the first date on which one expires. */
function expirationOf({ isExternal, key }: Member, materials: readonly Material[]) {
  const copies = materials.flatMap(({ name }) => key!.copies[name] ?? [])
  if (!isExternal || copies.length === 0) return {}
  const dates = copies.flatMap(({ validTo }) => validTo ?? [])
  if (dates.length === 0) return { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' as const }
  return { ExpirationModel: 'KEY_MATERIAL_EXPIRES' as const, ValidTo: Math.min(...dates) }
}

function byRegion(
  one: { readonly Region?: string | undefined },
  other: { readonly Region?: string | undefined },
): number {
  return one.Region! < other.Region! ? -1 : 1
}
