/** What callers do to a key of a Region, and with it. */
import type { GetParametersForImportResponse, KMS, OriginType } from '@aws-sdk/client-kms'
import fc from 'fast-check'
import { form, type Inputs, type Weighted } from '../draws.ts'
import { algorithmOf, type Import, importInputs, importRequest, secretOf } from '../imports.ts'
import { day, type Kind, type Refusal } from '../model.ts'
import type { Step as AnyStep } from '../side-by-side.ts'
import { Member, type Region, regions } from './member.ts'
import type { Model } from './model.ts'
import type { RegionalWorld, Step } from './regional-world.ts'

/** Something to do with one of the keys there are; undefined if what comes before it was refused. */
export interface RegionalDeed {
  readonly text: string
  /** Of the keys that it is for. */
  readonly origin?: OriginType | undefined
  plan(world: RegionalWorld, member: Member): Promise<Step | undefined>
}

function planned<T>(
  name: string,
  inputs: Inputs<T>,
  plan: (world: RegionalWorld, member: Member, input: T) => Promise<Step | undefined> | Step,
  origin?: OriginType,
): fc.Arbitrary<RegionalDeed> {
  return fc.record(inputs).map(input => ({
    text: `${name} ${JSON.stringify(input)}`,
    origin,
    plan: async (world, member) => plan(world, member, input as T),
  }))
}

type Call<T> = (kms: KMS, KeyId: string, input: T) => Promise<unknown>

function deed<T>(
  name: string,
  inputs: Inputs<T>,
  call: Call<T>,
  decide: (member: Member, input: T, now: number) => Refusal,
  origin?: OriginType,
): fc.Arbitrary<RegionalDeed> {
  const plan = ({ now }: RegionalWorld, member: Member, input: T) => ({
    ...stepOf(member, same => decide(same, input, now)),
    call: (kms: KMS) => call(kms, member.arn, input),
  })
  return planned(name, inputs, plan, origin)
}

/** @param decide told the key in the model of then, which may be a clone */
function stepOf({ family, region }: Member, decide: (member: Member) => Refusal): Omit<AnyStep<Model>, 'call'> {
  return { region, decide: model => decide(model.member(family.id, region)) }
}

function replication(member: Member, region: Region): Step {
  return {
    ...stepOf(member, same => same.replicate(region)),
    call: kms => kms.replicateKey({ KeyId: member.arn, ReplicaRegion: region }),
  }
}

const firstImport: Import = { secret: 0, type: undefined, days: undefined, algorithm: 0 }

/** What the key lacks, or what no related key has, as those who import would do. */
function planUsefulImport(world: RegionalWorld, member: Member, input: Import): Promise<Step | undefined> {
  const { listed } = member
  const lacking = listed.find(material => !member.has(material))
  if (lacking !== undefined) return planImport(world, member, { ...input, secret: lacking.secret!, type: undefined })
  const isNew = !listed.some(({ secret }) => secret === input.secret)
  return planImport(world, member, { ...input, type: isNew ? 'NEW_KEY_MATERIAL' : 'EXISTING_KEY_MATERIAL' })
}

async function planImport(world: RegionalWorld, member: Member, input: Import): Promise<Step | undefined> {
  const { arn: KeyId, isSymmetric, family } = member
  const WrappingAlgorithm = algorithmOf(family.kind, input.algorithm)
  let parameters: GetParametersForImportResponse
  const refused = await world.take({
    ...stepOf(member, ({ noImport }) => noImport),
    call: async kms => {
      parameters = await kms.getParametersForImport({ KeyId, WrappingAlgorithm, WrappingKeySpec: 'RSA_2048' })
    },
  })
  if (refused !== undefined) return undefined
  const validTo = input.days === undefined ? undefined : world.now + input.days * day
  const ImportType = isSymmetric ? input.type : undefined
  const material = secretOf(family.kind, input.secret)
  return {
    ...stepOf(member, same => same.import(input.secret, ImportType, validTo)),
    call: kms =>
      kms.importKeyMaterial(importRequest(KeyId, parameters, WrappingAlgorithm, material, { ImportType, validTo })),
  }
}

/** Creates a key with a replica, both with material. */
export async function createReplicated(world: RegionalWorld, kind: Kind): Promise<void> {
  const primary = await world.create(kind, regions[0])
  for (const member of [primary, new Member(primary.family, regions[1])]) {
    if (!member.isPrimary) await world.take(replication(primary, member.region))
    const step = member.isExternal && (await planImport(world, member, firstImport))
    if (step) await world.take(step)
  }
}

const region = fc.constantFrom(...regions)

export const regionalDeeds: Weighted<RegionalDeed> = [
  [6, planned('use', form, (world, member, input) => world.use(member, input))],
  [6, planned('ReplicateKey', { region }, (_, member, { region }) => replication(member, region))],
  [
    4,
    deed(
      'UpdatePrimaryRegion',
      { region },
      (kms, KeyId, { region }) => kms.updatePrimaryRegion({ KeyId, PrimaryRegion: region }),
      (member, { region }) => member.promote(region),
    ),
  ],
  [
    5,
    deed(
      'RotateKeyOnDemand',
      {},
      (kms, KeyId) => kms.rotateKeyOnDemand({ KeyId }),
      (member, _, now) => member.rotateOnDemand(now),
    ),
  ],
  [
    2,
    deed(
      'EnableKeyRotation',
      { days: fc.constantFrom(90, 365) },
      (kms, KeyId, { days }) => kms.enableKeyRotation({ KeyId, RotationPeriodInDays: days }),
      (member, { days }, now) => member.enableRotation(days, now),
      'AWS_KMS',
    ),
  ],
  [
    1,
    deed(
      'DisableKeyRotation',
      {},
      (kms, KeyId) => kms.disableKeyRotation({ KeyId }),
      member => member.disableRotation(),
      'AWS_KMS',
    ),
  ],
  [
    1,
    deed(
      'DisableKey',
      {},
      (kms, KeyId) => kms.disableKey({ KeyId }),
      member => member.enable(false),
    ),
  ],
  [
    3,
    deed(
      'EnableKey',
      {},
      (kms, KeyId) => kms.enableKey({ KeyId }),
      member => member.enable(true),
    ),
  ],
  [
    2,
    deed(
      'ScheduleKeyDeletion',
      { days: fc.constantFrom(7, 30) },
      (kms, KeyId, { days }) => kms.scheduleKeyDeletion({ KeyId, PendingWindowInDays: days }),
      (member, { days }, now) => member.scheduleDeletion(days, now),
    ),
  ],
  [
    4,
    deed(
      'CancelKeyDeletion',
      {},
      (kms, KeyId) => kms.cancelKeyDeletion({ KeyId }),
      member => member.cancelDeletion(),
    ),
  ],
  [2, planned('import', importInputs, planImport, 'EXTERNAL')],
  [10, planned('import what it lacks', importInputs, planUsefulImport, 'EXTERNAL')],
  [
    2,
    planned(
      'DeleteImportedKeyMaterial',
      { which: fc.constantFrom(undefined, -1, -1, 0, 1) },
      (world, member, { which }) => {
        const material = which === undefined || !member.isSymmetric ? undefined : member.listed.at(which)
        const KeyMaterialId = material && world.idOf(material.name)
        return {
          ...stepOf(member, same => same.deleteMaterial(material?.name)),
          call: kms => kms.deleteImportedKeyMaterial({ KeyId: member.arn, ...(KeyMaterialId && { KeyMaterialId }) }),
        }
      },
      'EXTERNAL',
    ),
  ],
]
