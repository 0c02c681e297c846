import { administratorVariables } from '../config/administrator.ts'
import { command } from './command.ts'
import { harden } from './harden.ts'
import { configOption, dataOption, parsePort } from './options.ts'
import type { ServeOptions } from './serve-gateway.ts'

/**
 * Threads of libuv's pool, which the audit journal uses, for one block at a time. A single thread keeps its caches warm: with two that take
 * turns, the gateway spends a tenth more processor time on an Encrypt. So nothing else that may wait for long may use the pool.
 */
const poolThreads = '1'

/**
 * V8 copies what outlives one collection of its young generation, and all records do: in halves of 8 MB instead of 16 MB it takes less memory and
 * time to load them, and no more for requests.
 */
const nodeOptions = ['--max-semi-space-size=8']

export const serve = command(program => {
  program
    .command('serve')
    .description('serve the AWS KMS API until SIGTERM or SIGINT, then finish open requests and exit')
    .addOption(dataOption())
    .addOption(configOption())
    .option('--host <address>', 'address to listen on; overrides the configuration')
    .option('--port <n>', 'port of the AWS KMS API; overrides the configuration', parsePort)
    .option('--emulator', 'emulator mode, for tests: everybody is an administrator; see docs/emulators.md')
    .option('--allow-remote-clients', 'in emulator mode, listen on other addresses than those of loopback, too')
    .action(async (options: ServeOptions) => {
      // Before anything is loaded: it may start the process anew.
      harden({ unwanted: administratorVariables, nodeOptions })
      process.env.UV_THREADPOOL_SIZE ??= poolThreads
      const { serveGateway } = await import('./serve-gateway.ts')
      await serveGateway(options)
    })
})
