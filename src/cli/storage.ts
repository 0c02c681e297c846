import { command } from './command.ts'

export const storage = command(program => {
  const storage = program.command('storage').description('move storage from one database to another')
  storage
    .command('copy')
    .description('copy storage to an empty database, of another engine too, and verify the copy; no gateway may run')
    .requiredOption('--from <config>', 'configuration file that names the present storage')
    .requiredOption('--to <config>', 'configuration file that names the new storage')
    .option('--json', 'print the result as JSON')
    .action(async (options: { from: string; to: string; json?: boolean }) => {
      const { copyStorage } = await import('./copy-storage.ts')
      await copyStorage(options)
    })
})
