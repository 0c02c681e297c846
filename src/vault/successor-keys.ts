/** Manual rotation: KMS Developer Guide, "Rotate keys manually". */
import { Failure } from '../errors.ts'
import { keyArn } from '../model/arn.ts'
import { checkKeyKind } from '../model/keys/ability.ts'
import { checkStoreState } from '../model/keys/custom-key-store.ts'
import { isMultiRegion, type Key, objectsOf } from '../model/keys/key.ts'
import { isPendingDeletion } from '../model/keys/key-state.ts'
import { replicaOf } from '../model/keys/multi-region.ts'
import { rotationFrom } from '../model/keys/rotation.ts'
import type { Changes, Services, Storage } from '../services.ts'
import { newKeyId } from './identifiers.ts'
import { createMaterial, hsmOfNew } from './materials.ts'
import { replicatedObjects } from './replicas.ts'

/** A key, and its related multi-Region keys: those that get a successor together. One that is to be deleted gets none. */
export function succeededWith(key: Key, { keys }: Storage): readonly Key[] {
  return [key, ...keys.related(key).filter(related => !isPendingDeletion(related))]
}

type Stores = Pick<Services, 'hsms' | 'storage' | 'keyStores'>
type Means = Stores & Pick<Services, 'clock'> & { readonly changes: Changes }

/**
 * Throws UnsupportedOperation, without calling an HSM, if a region no longer supports such keys, or for a key in an external key store, which
 * needs another external key; CustomKeyStoreInvalidState for one in a custom key store that is not connected.
 */
export function checkSuccessors(former: readonly Key[], means: Stores): void {
  for (const key of former) {
    if (key.xksKeyId !== undefined)
      throw new Failure(
        'UnsupportedOperation',
        `${key.arn} is in an external key store: create a key for another external key`,
      )
    const store = means.storage.customKeyStores.ofKey(key)
    if (store) checkStoreState(store, 'use')
    const hsm = hsmOfNew(key, means)
    checkKeyKind(ability => hsm.whyUnsupported(ability), key.spec, key.usage)
  }
}

/**
 * The records of new keys that are like others, but for their id and their key material, which is generated on the HSM of the region or custom key store; that of
 * imported keys is imported later. Related multi-Region keys have related successors in the same regions. A policy that names the other key by
 * its id names the new one instead. Grants are not copied: whoever may retire or revoke one knows it by its id and its key.
 *
 * @param former see succeededWith
 * @returns in the same order
 */
export async function createSuccessors(former: readonly Key[], means: Means): Promise<readonly Key[]> {
  const formerPrimary = former.find(({ multiRegion }) => multiRegion === 'PRIMARY') ?? former[0]!
  const primary = await createSuccessor(formerPrimary, means)
  const successors: Key[] = []
  for (const key of former) {
    if (key === formerPrimary) successors.push(primary)
    else successors.push(await createReplica(primary, key, means))
  }
  return successors
}

async function createReplica(primary: Key, { region, ...former }: Key, means: Means): Promise<Key> {
  const own = { ...ownProperties(former, primary.id), creationDate: primary.creationDate }
  return replicaOf(primary, region, own, await replicatedObjects(primary, region, means))
}

async function createSuccessor(key: Key, means: Means): Promise<Key> {
  const { clock, changes } = means
  const { account, region, spec, usage, origin, automaticRotation, customKeyStoreId } = key
  const id = newKeyId(isMultiRegion(key))
  const arn = keyArn(key, id)
  const kind = {
    arn,
    id,
    account,
    region,
    spec,
    usage,
    origin,
    customKeyStoreId,
    multiRegion: isMultiRegion(key) ? 'PRIMARY' : undefined,
  } as const
  const materials = origin === 'EXTERNAL' ? [] : [await createMaterial(hsmOfNew(key, means), kind, arn, clock())]
  changes.created.push(...objectsOf({ materials }))
  const creationDate = materials[0]?.createdAt ?? clock()
  return {
    ...kind,
    ...ownProperties(key, id),
    materials,
    creationDate,
    state: 'Enabled',
    automaticRotation: automaticRotation && rotationFrom(creationDate, automaticRotation.periodInDays),
    revision: 0,
  }
}

/** @param id of the successor */
function ownProperties(former: Omit<Key, 'region'>, id: string) {
  const { description, tags, policy, policyPrincipals, id: formerId } = former
  return { description, tags, policyPrincipals, policy: policy.replaceAll(formerId, id) }
}
