/** Files of identities, applied to a storage and exported from it, without a gateway. */
import { applyIdentities } from '../../../src/operations/administration/apply-identities.ts'
import { exportIdentities } from '../../../src/operations/administration/export-identities.ts'
import { Changes, type Storage } from '../../../src/storage/storage.ts'

export interface ApplyOptions {
  readonly prune?: boolean
  readonly dryRun?: boolean
  readonly digest?: string
}

/** Resolves to the steps, as `action kind name` with their differences. */
export async function applied(written: object, storage: Storage, options: ApplyOptions = {}): Promise<string[]> {
  const { steps } = await planned(written, storage, options)
  return steps.map(({ action, kind, name, differences }) => [`${action} ${kind} ${name}`, ...differences].join('; '))
}

export async function planned(written: object, storage: Storage, options: ApplyOptions = {}) {
  const { data, error } = applyIdentities.schema.safeParse({ file: written, ...options })
  if (!data) throw error
  const changes = new Changes()
  const context = { input: data, storage, clock: () => 1, changes } as unknown as Parameters<
    typeof applyIdentities.run
  >[0]
  const output = (await applyIdentities.run(context))!
  await storage.commit(changes)
  return output
}

export async function exportOf(storage: Storage): Promise<object> {
  const context = { storage } as unknown as Parameters<typeof exportIdentities.run>[0]
  return (await exportIdentities.run(context))!.file
}
