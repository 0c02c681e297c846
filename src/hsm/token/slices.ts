/** Work that takes long and that the library does in this thread: in slices, between which the worker does calls. */
import { performance } from 'node:perf_hooks'

/** Milliseconds. */
const slice = 2

/** Resolves when what has arrived meanwhile is done. */
export function breath(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

/** Does something with each item, a few milliseconds at a time; at least one item is done in each slice. */
export async function inSlices<T>(items: readonly T[], work: (item: T) => void, endOfSlice = () => {}): Promise<void> {
  let end = performance.now() + slice
  for (const item of items) {
    work(item)
    if (performance.now() < end) continue
    endOfSlice()
    await breath()
    end = performance.now() + slice
  }
  endOfSlice()
}
