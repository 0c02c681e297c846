/** Storage, or a journal, that another process has for a moment: a command, which administers it while no gateway runs, or a gateway that stops. */
import { setTimeout as sleep } from 'node:timers/promises'
import { OperatorError } from '../errors.ts'
import { isAccepting } from '../server/unix-socket.ts'
import { inUse } from '../storage/engines/sqlite.ts'

/** Milliseconds between attempts, and in all. */
export const [pause, patience] = [200, 10_000]

export function isInUse(error: unknown): boolean {
  return error instanceof OperatorError && error.message.endsWith(inUse)
}

/** Waits until it can be opened, 10 seconds in all. @param socket at which a gateway that runs has the storage: it is not waited for */
export async function openWhenFree<T>(socket: string, open: () => Promise<T>): Promise<T> {
  for (const begun = performance.now(); ; await sleep(pause)) {
    try {
      return await open()
    } catch (error) {
      if (!isInUse(error) || performance.now() - begun > patience || (await isAccepting(socket))) throw error
    }
  }
}
