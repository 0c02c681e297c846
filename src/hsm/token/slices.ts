/** Divides long work into slices, between which the worker serves calls. */
import { performance } from 'node:perf_hooks'

/** Milliseconds. */
const slice = 2

/** Resolves after pending I/O events were handled. */
export function nextTurn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

/** Processes items in slices of a few milliseconds, at least one item each. */
export async function inSlices<T>(items: readonly T[], work: (item: T) => void, endOfSlice = () => {}): Promise<void> {
  let end = performance.now() + slice
  for (const item of items) {
    work(item)
    if (performance.now() < end) continue
    endOfSlice()
    await nextTurn()
    end = performance.now() + slice
  }
  endOfSlice()
}
