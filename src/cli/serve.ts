import { command } from './command.ts'
import { configOption, dataOption, parsePort } from './options.ts'
import type { ServeOptions } from './serve-gateway.ts'

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
      const { serveGateway } = await import('./serve-gateway.ts')
      await serveGateway(options)
    })
})
