import { command } from './command.ts'
import type { TrustOptions } from './multi-region-trust.ts'
import { configOption, dataOption } from './options.ts'

export const multiRegion = command(program => {
  const group = program
    .command('multi-region')
    .description('prepare HSMs for replicas of multi-Region keys')
    .helpCommand(false)
  group
    .command('trust')
    .description(
      'let an HSM wrap multi-Region keys for another: its security officer trusts the transfer key of that one',
    )
    .requiredOption('--from <hsm>', 'HSM that wraps keys, and whose security officer this is')
    .requiredOption('--to <hsm>', 'HSM that gets them; its transfer key is created if there is none')
    .option('--so-pin-file <file>', "file with the security officer's PIN (default: only print the key to be trusted)")
    .addOption(dataOption())
    .addOption(configOption())
    .action(async (options: TrustOptions) => {
      const { trust } = await import('./multi-region-trust.ts')
      await trust(options)
    })
})
