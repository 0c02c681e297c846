/** A deadline for work on a disk, which cannot be cancelled. */

export class TimedOut extends Error {}

/**
 * The outcome of the work, which goes on after TimedOut. Work that has ended while the process had no processor time is in time.
 *
 * @param time milliseconds
 */
export async function within<T>(work: Promise<T>, time: number): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  const timedOut = () => reject(new TimedOut(`the disk did not answer within ${time / 1000} s`))
  const timer = setTimeout(() => setImmediate(timedOut), time)
  work.then(resolve, reject)
  try {
    return await promise
  } finally {
    clearTimeout(timer)
  }
}
