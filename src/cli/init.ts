import { command } from './command.ts'
import type { InitOptions } from './initialize.ts'
import { configOption, dataOption, parseAccount } from './options.ts'

/** Account of the first administrator by default. */
const firstAccount = '000000000000'

export const init = command(program => {
  program
    .command('init')
    .description('create a data folder: configuration, token, storage, administrator; safe to repeat')
    .addOption(dataOption())
    .addOption(configOption())
    .option(
      '--account <id>',
      `AWS account of the administrator (default: "${firstAccount}", if there is none yet)`,
      parseAccount,
    )
    .option('--write-credentials', "write the administrator's access key to the credentials file again")
    .action(async (options: InitOptions) => {
      const { initialize } = await import('./initialize.ts')
      await initialize(firstAccount, options)
    })
})
