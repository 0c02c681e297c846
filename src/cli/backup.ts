import { command } from './command.ts'
import { type ConfigOptions, configOption, dataOption } from './options.ts'

export const backup = command(program => {
  program
    .command('backup')
    .description('write a backup of storage to a new file, sealed by a key on the HSM; gateways may run meanwhile')
    .argument('<file>', 'new file, which only its owner can read')
    .addOption(dataOption())
    .addOption(configOption())
    .option('--json', 'print the result as JSON')
    .action(async (file: string, options: ConfigOptions & { json?: boolean }) => {
      const { createBackup } = await import('./create-backup.ts')
      await createBackup(file, options)
    })
})
