import { globSync, readFileSync } from 'node:fs'
import { defineConfig } from 'vitest/config'

/** Of these files the suite runs a part: see test/thorough.ts. */
const partlyInSuite = globSync('test/**/*.test.ts', { cwd: import.meta.dirname }).filter(file =>
  readFileSync(new URL(file, import.meta.url), 'utf8').includes("/thorough.ts'"),
)

export default defineConfig({
  test: {
    include: ['test/soak/**/*.test.ts', ...partlyInSuite],
    env: { STRONGROOM_THOROUGH: 'yes' },
    globalSetup: 'test/prepare.ts',
    testTimeout: 60 * 60_000,
    hookTimeout: 60_000,
    // A second, the default, is not enough on a busy machine.
    expect: { poll: { timeout: 20_000 } },
    pool: 'forks',
    maxWorkers: 1,
  },
})
