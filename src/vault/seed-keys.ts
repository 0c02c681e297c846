/** Creates the keys and aliases of a seed file: in emulator mode only. */
import { Failure, OperatorError } from '../errors.ts'
import { aliasArn, keyArn, partitionOf } from '../model/arn.ts'
import { checkAliasName } from '../model/keys/alias.ts'
import { defaultKeyPolicy, isMultiRegion, type Key, type KeyMaterial, objectOf } from '../model/keys/key.ts'
import { defaultPeriodInDays } from '../model/keys/rotation.ts'
import type { SeedAlias, SeedKey } from '../seed-file.ts'
import type { Hsm, Services } from '../services.ts'
import { Changes, Conflict } from '../storage/storage.ts'
import { destroyUncommitted, importMaterial, type Recorder } from './materials.ts'

interface Place {
  readonly account: string
  readonly region: string
}

type Means = Pick<Services, 'storage' | 'hsms' | 'clock'> & Recorder

/** What exists is left as it is. Throws an OperatorError of one line for what cannot be created; what comes before it stays. */
export async function createSeedKeys(
  { keys, aliases }: { readonly keys: readonly SeedKey[]; readonly aliases: readonly SeedAlias[] },
  place: Place,
  means: Means,
): Promise<void> {
  for (const key of keys) await explained(`key ${key.id}`, () => createKey(key, place, means))
  for (const alias of aliases) await explained(`alias ${alias.name}`, () => createAlias(alias, place, means))
}

async function explained(what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    // Another gateway of the fleet created it from its seed file.
    if (error instanceof Conflict) return
    if (!(error instanceof Failure)) throw error
    throw new OperatorError(`seed file: ${what}: ${error.message || error.code}`, { cause: error })
  }
}

async function createKey(seedKey: SeedKey, { account, region }: Place, means: Means): Promise<void> {
  const { storage, hsms, clock, audit, outbox } = means
  const { materials, nextRotationDate: nextDate, ...seed } = seedKey
  const arn = keyArn({ account, region }, seed.id)
  // A multi-Region key has one primary key.
  if (storage.keys.find(arn) !== undefined || storage.keys.related({ id: seed.id, arn, region }).length > 0) return
  const intent = audit.event('CreateSeedKey', arn, {})
  const create = async (changes: Changes) => {
    const imported = await importMaterials(hsms.ofRegion(region), { ...seed, arn, account }, materials, clock())
    changes.created.push(...imported.map(objectOf))
    const key: Key = {
      ...seed,
      arn,
      account,
      region,
      state: 'Enabled',
      multiRegion: isMultiRegion(seed) ? 'PRIMARY' : undefined,
      creationDate: clock(),
      tags: [],
      policy: defaultKeyPolicy(account, partitionOf(region)),
      materials: imported,
      automaticRotation: nextDate === undefined ? undefined : { periodInDays: defaultPeriodInDays, nextDate },
      revision: 0,
    }
    changes.put('keys', key)
    return { ...intent, additionalEventData: { keyMaterialIds: imported.map(({ id }) => id) } }
  }
  await outbox.act(intent, create, changes => destroyUncommitted(changes, { hsms }))
}

/** Leaves none of them if one fails. */
async function importMaterials(
  hsm: Hsm,
  key: Pick<Key, 'arn' | 'account' | 'id' | 'origin' | 'spec' | 'usage'>,
  materials: readonly Uint8Array[],
  now: number,
): Promise<readonly KeyMaterial[]> {
  const imported: KeyMaterial[] = []
  try {
    for (const bytes of materials) imported.push(await importMaterial(hsm, key, now, bytes))
    if (new Set(imported.map(({ id }) => id)).size < imported.length)
      throw new Failure('Validation', 'two of its BackingKeys are the same')
    const type = key.origin === 'EXTERNAL' ? 'ON_DEMAND' : 'AUTOMATIC'
    return imported.map((material, index) => (index === 0 ? material : { ...material, rotation: { type, date: now } }))
  } catch (error) {
    await Promise.allSettled(imported.map(material => hsm.destroyKey(objectOf(material).id)))
    throw error
  }
}

async function createAlias({ name, keyId }: SeedAlias, place: Place, means: Means): Promise<void> {
  const { storage, clock, audit, outbox } = means
  const arn = aliasArn(place, name)
  if (storage.aliases.find(arn) !== undefined) return
  checkAliasName(name)
  const key = storage.keys.find(keyArn(place, keyId))
  if (key === undefined) throw new Failure('NotFound', `there is no key ${keyId}`)
  const now = clock()
  const changes = new Changes()
  changes.put('aliases', {
    arn,
    name,
    ...place,
    targetKeyArn: key.arn,
    creationDate: now,
    lastUpdatedDate: now,
    revision: 0,
  })
  await outbox.record(changes, audit.event('CreateSeedAlias', key.arn, { aliasName: name }))
}
