import type { RotatedAlias } from '../operations/administration/rotate-alias.ts'
import type { AliasKeys } from './alias-report.ts'
import { command } from './command.ts'
import { administer, type IdentityOptions, printJson, withAccountOption } from './identity-options.ts'
import { printRotation } from './rotation-lines.ts'

export interface RotateOptions extends IdentityOptions {
  readonly region?: string
  readonly dryRun?: boolean
  readonly report?: boolean
}

export const rotate = command(program => {
  withAccountOption(program.command('rotate'))
    .description(
      'replace the key of an alias with a new one like it (manual rotation), or report who still uses its former keys',
    )
    .argument('<alias>', 'its name, alias/..., or its ARN')
    .option('--region <region>', 'AWS region (default: the only one with that alias)')
    .option('--dry-run', 'show what would be done, and change nothing')
    .option('--report', 'change nothing; list the keys of the alias, and who still uses the former ones')
    .option('--json', 'print the result as JSON')
    .action(run)
})

async function run(alias: string, options: RotateOptions): Promise<void> {
  const { account, region, dryRun = false, report, json } = options
  await administer(options, async call => {
    const named = { alias, account, region }
    if (report) {
      const { reportAlias } = await import('./alias-report.ts')
      return await reportAlias(await call<AliasKeys>('ListAliasKeys', named), options)
    }
    const rotated = await call<RotatedAlias>('RotateAlias', { ...named, dryRun })
    if (json) printJson(rotated)
    else printRotation(rotated, options)
  })
}
