import { aliasArn } from '../model/arn.ts'
import { queueOf } from '../model/identities/caller.ts'
import type { Alias } from '../model/keys/alias.ts'
import type { Key } from '../model/keys/key.ts'
import { rotationFrom } from '../model/keys/rotation.ts'
import type { NewServiceKey } from '../model/keys/service-keys.ts'
import type { PathServices, ServiceKeys } from '../services.ts'
import type { Changes } from '../storage/storage.ts'
import { createMaterial, destroyUncommitted, type Recorder } from './materials.ts'

type Means = Pick<PathServices, 'storage' | 'clock' | 'hsms' | 'emulator'> & Recorder

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
  const details = { aliasName: alias.name }
  const intent = audit.event('CreateKey', draft.arn, details, { invokedBy: draft.manager!.service })
  const create = async (changes: Changes) => {
    const material = await createMaterial(hsms.ofRegion(draft.region), draft, draft.arn, clock())
    const { createdAt } = material
    changes.created.push(material.object!)
    const automaticRotation = rotationFrom(createdAt, rotationPeriodInDays)
    changes.put('keys', { ...draft, creationDate: createdAt, materials: [material], automaticRotation })
    changes.put('aliases', { ...alias, creationDate: createdAt, lastUpdatedDate: createdAt })
    // So that of this and a deletion of the account at the same time, one is decided again.
    const account = storage.accounts.find(draft.account)
    if (account) changes.put('accounts', account)
    return { ...intent, additionalEventData: { ...details, keyMaterialId: material.id } }
  }
  await outbox.act(intent, create, changes => destroyUncommitted(changes, { hsms }))
  return storage.keys.find(draft.arn)!
}

/** That of an AWS owned key is a name for its service only, which has no account. */
function aliasOf({ key, alias }: NewServiceKey): Alias {
  const { region, manager } = key
  const place = { account: manager!.owned ? '' : key.account, region }
  const dates = { creationDate: 0, lastUpdatedDate: 0 }
  return { ...place, ...dates, arn: aliasArn(place, alias), name: alias, targetKeyArn: key.arn, revision: 0 }
}
