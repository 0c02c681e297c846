import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { startGateway } from '../assemble.ts'
import { command } from './command.ts'
import { openDataFolder } from './data-folder.ts'
import { type ConfigOptions, configOption, dataOption, parsePort } from './options.ts'

/**
 * Threads of libuv's pool, which nothing but the audit journal uses, for one write at a time. One thread is woken with its caches
 * warm; of four each gets its turn.
 */
const poolThreads = '1'

export const serve = command(program => {
  program
    .command('serve')
    .description('serve the AWS KMS API until SIGTERM or SIGINT, then finish what is in flight')
    .addOption(dataOption())
    .addOption(configOption())
    .option('--host <address>', 'address to listen on, instead of the configured one')
    .option('--port <n>', 'port of the AWS KMS API, instead of the configured one', parsePort)
    .action(async (options: ConfigOptions & { host?: string; port?: number }) => {
      process.env.UV_THREADPOOL_SIZE ??= poolThreads
      const { path, config } = openDataFolder(options, { host: options.host, port: options.port })
      const gateway = await startGateway(config)
      const end = signalled()
      process.stdout.write(welcome(gateway.url, path))
      await end
      await gateway.close()
    })
})

/** Two lines to paste, where init has left an administrator's credentials. */
function welcome(url: string, folder: string): string {
  const credentials = join(folder, 'credentials')
  const heading = `Strongroom serves the AWS KMS API at ${url}\n`
  if (!existsSync(credentials)) return heading
  return `${heading}
  export AWS_ENDPOINT_URL_KMS=${url} AWS_SHARED_CREDENTIALS_FILE=${credentials}
  aws kms create-key
`
}

/** Resolves at the first signal; a second one ends the process at once. */
async function signalled(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve())
  return promise
}
