import { InvalidArgumentError } from 'commander'
import { command } from './command.ts'
import { type ConfigOptions, configOption, dataOption } from './options.ts'

export const restore = command(program => {
  program
    .command('restore')
    .description('compare a backup with the HSMs, key by key, and write it to the empty storage of the configuration')
    .argument('<file>', 'backup')
    .addOption(dataOption())
    .addOption(configOption())
    .option('--dry-run', 'only compare; exit code 1 if objects are missing or faulty, 3 if the HSMs only have more')
    .option('--allow-missing', 'restore although HSM objects are missing or faulty: their keys will be unavailable')
    .option(
      '--encryptions <number>',
      'how many messages a key may have encrypted since the backup (default: 1000 per second)',
      parseCount,
    )
    .option('--json', 'print the result as JSON')
    .action(async (file: string, options: ConfigOptions) => {
      const { restoreBackup } = await import('./restore-backup.ts')
      await restoreBackup(file, options)
    })
})

function parseCount(text: string): number {
  if (/^\d{1,10}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It is a whole number of up to 10 digits.')
}
