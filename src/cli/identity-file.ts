/** `strongroom identity apply` and `export`: identities as a YAML file. */
import { createInterface } from 'node:readline/promises'
import type { Command } from 'commander'
import { OperatorError } from '../errors.ts'
import type { Step } from '../operations/administration/plan.ts'
import type { IdentityOptions } from './identity-options.ts'
import { administer, print, printJson, readText, withDataOptions } from './identity-options.ts'
import { printable } from './printable.ts'

interface ApplyOptions extends IdentityOptions {
  readonly dryRun?: boolean
  readonly prune?: boolean
  readonly yes?: boolean
}

interface Plan {
  readonly steps: readonly Step[]
  readonly digest: string
}

export function addFileCommands(identity: Command): void {
  withDataOptions(identity.command('apply'))
    .description('make the identities what a YAML file says, in one transaction; shows what changes first')
    .argument('<file>', 'docs/identities.md explains it; - for standard input')
    .option('--dry-run', 'show what would change, and change nothing')
    .option('--prune', 'in the accounts of the file, also remove what no file made')
    .option('--yes', 'do not ask; without a terminal it is not asked anyway')
    .option('--json', 'print the changes as JSON')
    .action(apply)
  withDataOptions(identity.command('export'))
    .description('write all identities as a file for apply; without secrets')
    .action((options: IdentityOptions) =>
      administer(options, async call => {
        const { stringify } = await import('yaml')
        const { file } = await call<{ readonly file: object }>('ExportIdentities', {})
        process.stdout.write(stringify(file, { lineWidth: 0, aliasDuplicateObjects: false }))
      }),
    )
}

async function apply(file: string, options: ApplyOptions): Promise<void> {
  const { readIdentityFile } = await import('./read-identity-file.ts')
  const written = readIdentityFile(readText(file), file)
  const { prune = false, json = false } = options
  await administer(options, async call => {
    const plan = (rest: object) => call<Plan>('ApplyIdentities', { file: written, prune, ...rest })
    const { steps, digest } = await plan({ dryRun: true })
    if (!json) for (const line of steps.flatMap(linesOf)) print(line)
    if (options.dryRun || steps.length === 0) {
      if (json) printJson(steps)
      else print(steps.length === 0 ? 'nothing changes' : `${summaryOf(steps)}; nothing was changed`)
      return
    }
    if (!options.yes && process.stdin.isTTY && !json) await confirm(summaryOf(steps))
    // Nothing but what was shown.
    const applied = await plan({ digest })
    if (json) printJson(applied.steps)
    else print(`${summaryOf(applied.steps)}: done`)
  })
}

const signs = { add: '+', change: '~', adopt: '~', remove: '-' } as const

function linesOf({ action, kind, account, name, differences }: Step): string[] {
  const note = action === 'adopt' ? ' (of this file from now on)' : ''
  const place = kind === 'account' ? '' : ` (account ${account})`
  return [`${signs[action]} ${kind} ${name}${place}${note}`, ...differences.map(one => `    ${one}`)].map(printable)
}

function summaryOf(steps: readonly Step[]): string {
  const count = (actions: readonly Step['action'][]) => steps.filter(({ action }) => actions.includes(action)).length
  return `${count(['add'])} added, ${count(['change', 'adopt'])} changed, ${count(['remove'])} removed`
}

async function confirm(summary: string): Promise<void> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  const answer = await terminal.question(`${summary}. Apply? [y/N] `)
  terminal.close()
  if (!/^y(es)?$/i.test(answer.trim())) throw new OperatorError('nothing was changed')
}
