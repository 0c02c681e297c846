import { aliasArn } from '../model/arn.ts'
import { queueOf } from '../model/identities/caller.ts'
import type { Alias } from '../model/keys/alias.ts'
import type { Key } from '../model/keys/key.ts'
import { rotationFrom } from '../model/keys/rotation.ts'
import type { NewServiceKey } from '../model/keys/service-keys.ts'
import type { PathServices, ServiceKeys } from '../services.ts'
import { Changes } from '../storage/storage.ts'
import { createMaterial, type Recorder, recordCreated } from './materials.ts'

type Means = Pick<PathServices, 'storage' | 'clock' | 'hsms' | 'emulator'> &
  Recorder & { readonly outbox: Pick<PathServices['outbox'], 'ready'> }

/** Since May 2022: KMS Developer Guide, "Rotate AWS KMS keys", "AWS managed keys". */
const rotationPeriodInDays = 365

/** Creates AWS managed and AWS owned keys, each of them once. */
export function serviceKeysWith(means: Means): ServiceKeys {
  /** By the ARN of the alias. */
  const creating = new Map<string, Promise<Key>>()
  return {
    forAnyCaller: means.emulator !== undefined,
    create(asked, caller) {
      const alias = aliasOf(asked)
      const begun = creating.get(alias.arn)
      if (begun) return begun
      const hsms = means.hsms.for(queueOf(caller))
      const created = create(asked.key, alias, { ...means, hsms }).finally(() => creating.delete(alias.arn))
      creating.set(alias.arn, created)
      return created
    },
  }
}

/** Rejects with Conflict if the alias exists by now. */
async function create(draft: Key, alias: Alias, { storage, clock, hsms, outbox, audit }: Means): Promise<Key> {
  await outbox.ready()
  const material = await createMaterial(hsms.ofRegion(draft.region), draft, draft.arn, clock())
  const { createdAt } = material
  const automaticRotation = rotationFrom(createdAt, rotationPeriodInDays)
  const key = { ...draft, creationDate: createdAt, materials: [material], automaticRotation }
  const changes = new Changes()
  changes.created.push(material.object!)
  changes.put('keys', key)
  changes.put('aliases', { ...alias, creationDate: createdAt, lastUpdatedDate: createdAt })
  const details = { aliasName: alias.name, keyMaterialId: material.id }
  const event = audit.event('CreateKey', key.arn, details, { invokedBy: draft.manager!.service })
  await recordCreated(changes, event, { hsms, outbox })
  return storage.keys.find(key.arn)!
}

/** That of an AWS owned key is a name for its service only, which has no account. */
function aliasOf({ key, alias }: NewServiceKey): Alias {
  const { region, manager } = key
  const place = { account: manager!.owned ? '' : key.account, region }
  const dates = { creationDate: 0, lastUpdatedDate: 0 }
  return { ...place, ...dates, arn: aliasArn(place, alias), name: alias, targetKeyArn: key.arn, revision: 0 }
}
