import { existsSync } from 'node:fs'
import { type NeededObject, neededObjects } from '../backup/needed-objects.ts'
import type { Config } from '../config.ts'
import { EmptyDatabase } from '../storage/migrations/migrate.ts'

/** What the present storage needs, by CKA_ID; undefined if there is none. */
export async function presentObjects({ storage }: Config): Promise<ReadonlyMap<string, NeededObject> | undefined> {
  if (storage.file !== undefined && !existsSync(storage.file)) return undefined
  const { readSnapshot } = await import('../assemble/whole-storage.ts')
  try {
    return await readSnapshot(storage, async db => {
      const present = new Map<string, NeededObject>()
      for await (const objects of neededObjects(db)) for (const object of objects) present.set(object.id, object)
      return present
    })
  } catch (error) {
    if (error instanceof EmptyDatabase) return undefined
    throw error
  }
}
