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

/**
 * These leave nothing behind in their process, so that others of their kind may have it after them: a start for each file, which loads
 * the same modules again, costs 30 seconds, and 0.8 s of processor time for each of those that start processes.
 */
const sharing = [
  'test/{apis,assemble,audit,authentication,authorization,config,jobs,model,operations,server,vault}/**/*.test.ts',
  'test/storage/{engines,migrations}/**/*.test.ts',
  'test/hsm/{profiles,token,wire}/**/*.test.ts',
]
const startingProcesses = ['test/{end-to-end,xks-proxies}/**/*.test.ts']

export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // A second, the default, is not enough on a busy machine.
    expect: { poll: { timeout: 20_000 } },
    pool: 'forks',
    // More than cores, as tests wait for a quarter of their time.
    maxWorkers: 3,
    sequence: { sequencer: SlowestFirst },
    // Once for all projects.
    globalSetup: 'test/prepare.ts',
    projects: [
      { extends: true, test: { name: 'sharing', include: sharing, isolate: false } },
      { extends: true, test: { name: 'end to end', include: startingProcesses, isolate: false } },
      {
        extends: true,
        test: {
          name: 'own process',
          include: ['test/**/*.test.ts'],
          exclude: [...sharing, ...startingProcesses, 'test/soak/**'],
        },
      },
    ],
  },
})
