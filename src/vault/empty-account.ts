import type { JobServices } from '../services.ts'
import { Changes, Conflict } from '../storage/storage.ts'
import type { Recorder } from './materials.ts'
import { removeKey } from './remove-key.ts'

const attempts = 10

/**
 * Removes the keys of an account, with their aliases, grants and policies, in one commit: a job destroys their HSM objects. In emulator mode
 * only: elsewhere keys have a waiting period. Rejects with Conflict, having removed nothing, if they are changed by others without pause.
 *
 * @returns how many keys it had
 */
export async function emptyAccount(account: string, means: Pick<JobServices, 'storage'> & Recorder): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await removeAll(account, means)
    } catch (thrown) {
      if (!(thrown instanceof Conflict) || attempt === attempts) throw thrown
    }
  }
}

async function removeAll(
  account: string,
  { storage, audit, outbox }: Pick<JobServices, 'storage'> & Recorder,
): Promise<number> {
  const keys = storage.keys.ofAccount(account)
  if (keys.length === 0) return 0
  const changes = new Changes()
  for (const key of keys) removeKey(changes, key, storage)
  await outbox.record(changes, audit.event('EmptyAccount', undefined, { account, keys: keys.length }))
  return keys.length
}
