/** Loaded into a gateway by allocations.ts. The first SIGUSR2 starts counting, the second writes the bytes allocated since to a file. */
import { writeFileSync } from 'node:fs'
import { GCProfiler, getHeapStatistics } from 'node:v8'
import { isMainThread } from 'node:worker_threads'

const usedNow = () => getHeapStatistics().used_heap_size
let running: { readonly profiler: GCProfiler; readonly used: number } | undefined

/** Between two collections the heap only grows: what it grows by is what was allocated. */
function toggle(): void {
  if (running === undefined) {
    running = { profiler: new GCProfiler(), used: usedNow() }
    running.profiler.start()
    return
  }
  let { profiler, used } = running
  running = undefined
  let allocated = 0
  for (const { beforeGC, afterGC } of profiler.stop().statistics) {
    allocated += beforeGC.heapStatistics.usedHeapSize - used
    used = afterGC.heapStatistics.usedHeapSize
  }
  allocated += usedNow() - used
  writeFileSync(process.env.ALLOCATIONS_FILE!, String(allocated))
}

if (isMainThread) process.on('SIGUSR2', toggle)
