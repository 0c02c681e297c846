import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/soak/**/*.test.ts'],
    globalSetup: 'test/prepared-folders.ts',
    testTimeout: 60 * 60_000,
    hookTimeout: 60_000,
    // A second, the default, is not enough on a busy machine.
    expect: { poll: { timeout: 20_000 } },
    pool: 'forks',
    maxWorkers: 1,
  },
})
