/** The creation of a key that may fail after the key exists: then it is destroyed. */
import { setTimeout as delay } from 'node:timers/promises'
import type { CreatedKey } from './hsm.ts'
import type { AnswerOf } from './wire/calls.ts'

/** Milliseconds between attempts to destroy an unused key; doubled each time. */
const [firstPause, longestPause] = [500, 64_000]

/**
 * If the call fails but the key may exist, it is destroyed, even after this has rejected.
 *
 * @param call calls back when a worker may have created the key
 */
export async function createKey(
  call: (undo: () => void) => Promise<AnswerOf<'generateKey'>>,
  destroy: () => Promise<void>,
): Promise<CreatedKey> {
  let [isRefused, mayExist] = [false, false]
  const destroyIfUnused = () => {
    if (isRefused && mayExist) void destroyUnused(destroy)
  }
  const undo = () => {
    mayExist = true
    destroyIfUnused()
  }
  try {
    const answer = await call(undo)
    const [publicKey, checkValue] = [copyOf(answer.publicKey), copyOf(answer.checkValue)]
    return { custody: answer.custody, publicKey, checkValue, fingerprint: copyOf(answer.fingerprint) }
  } catch (error) {
    isRefused = true
    destroyIfUnused()
    throw error
  }
}

/** Tries again while the HSM is unavailable; in the end the object is orphaned. */
async function destroyUnused(destroy: () => Promise<void>): Promise<void> {
  for (let pause = firstPause; pause <= longestPause; pause *= 2) {
    try {
      await destroy()
      return
    } catch {
      await delay(pause, undefined, { ref: false })
    }
  }
}

/** A copy, as a view would keep the whole message in memory. */
function copyOf(part: Uint8Array | undefined): Uint8Array | undefined {
  return part && new Uint8Array(part)
}
