import { randomUUID } from 'node:crypto'
import { aliasArn, keyArn } from '../model/arn.ts'
import type { Alias } from '../model/keys/alias.ts'
import { type Key, objectsOf } from '../model/keys/key.ts'
import { rotationFrom } from '../model/keys/rotation.ts'
import { descriptionOf, type NewServiceKey, serviceKeyPolicy } from '../model/keys/service-keys.ts'
import type { Hsms, PathServices, ServiceKeys } from '../services.ts'
import { Changes, Conflict } from '../storage/storage.ts'
import { createMaterial, destroyUncommitted, type Recorder } from './materials.ts'

type Means = Pick<PathServices, 'clock' | 'emulator'> &
  Recorder & { readonly outbox: Pick<PathServices['outbox'], 'ready'> }

/** Since May 2022: KMS Developer Guide, "Rotating AWS KMS keys", "AWS managed keys". */
const rotationPeriodInDays = 365

/** Creates AWS managed and AWS owned keys, each of them once. */
export function serviceKeysWith(means: Means): ServiceKeys {
  /** By the ARN of the alias. */
  const creating = new Map<string, Promise<void>>()
  return {
    forAnyCaller: means.emulator !== undefined,
    create(key, hsms) {
      const arn = aliasArn(placeOf(key), key.alias)
      const begun = creating.get(arn)
      if (begun) return begun
      const created = create(key, hsms, means).finally(() => creating.delete(arn))
      creating.set(arn, created)
      return created
    },
  }
}

/** Of the alias: that of an AWS owned key is a name for its service only, which has no account. */
function placeOf({ account, region, owned }: NewServiceKey) {
  return { account: owned ? '' : account, region }
}

async function create(asked: NewServiceKey, hsms: Hsms, { outbox, audit, ...means }: Means): Promise<void> {
  await outbox.ready()
  const key = await keyOf(asked, hsms, means)
  const changes = new Changes()
  changes.created.push(...objectsOf(key))
  changes.put('keys', key)
  changes.put('aliases', aliasOf(asked, key))
  const details = { aliasName: asked.alias, keyMaterialId: key.materials[0]!.id }
  try {
    await outbox.record(changes, audit.event('CreateKey', key.arn, details, { invokedBy: asked.service }))
  } catch (thrown) {
    if (thrown instanceof Conflict) await destroyUncommitted(changes, { hsms })
    throw thrown
  }
}

async function keyOf(asked: NewServiceKey, hsms: Hsms, { clock, emulator }: Pick<Means, 'clock' | 'emulator'>) {
  const { service, owned, account, region } = asked
  const id = randomUUID()
  const arn = keyArn(asked, id)
  const kind = { spec: 'SYMMETRIC_DEFAULT', usage: 'ENCRYPT_DECRYPT' } as const
  const material = await createMaterial(hsms.ofRegion(region), kind, arn, clock())
  return {
    ...kind,
    arn,
    id,
    account,
    region,
    origin: 'AWS_KMS',
    state: 'Enabled',
    description: descriptionOf(asked),
    creationDate: material.createdAt,
    tags: [],
    policy: serviceKeyPolicy(asked, emulator !== undefined),
    policyPrincipals: {},
    materials: [material],
    automaticRotation: rotationFrom(material.createdAt, rotationPeriodInDays),
    manager: { service, owned },
    revision: 0,
  } satisfies Key
}

function aliasOf(asked: NewServiceKey, { arn, creationDate }: Key): Alias {
  const place = placeOf(asked)
  return {
    ...place,
    arn: aliasArn(place, asked.alias),
    name: asked.alias,
    targetKeyArn: arn,
    creationDate,
    lastUpdatedDate: creationDate,
    revision: 0,
  }
}
