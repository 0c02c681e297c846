import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

// Saves a third of the time of tests that start processes and threads.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, 'node_modules/.cache/compiled')

/** The slowest first: vitest sorts by size, and the last of them would run on alone at the end. */
const slowest = [
  'test/docs.test.ts',
  'test/hsm/pool/faults.test.ts',
  'test/end-to-end/connections.test.ts',
  'test/transcripts/transcripts.test.ts',
  'test/storage/engines/sqlite.test.ts',
  'test/hsm/pool/cluster.test.ts',
  'test/end-to-end/processes.test.ts',
].map(file => join(import.meta.dirname, file))

class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const isSlow = ({ moduleId }: TestSpecification) => slowest.includes(moduleId)
    return [...sorted.filter(isSlow), ...sorted.filter(file => !isSlow(file))]
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/soak/**'],
    globalSetup: 'test/prepared-folders.ts',
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // More than cores, as tests wait for a quarter of their time.
    maxWorkers: 3,
    sequence: { sequencer: SlowestFirst },
  },
})
