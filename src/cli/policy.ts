import type { Command } from 'commander'
import { Argument, InvalidArgumentError, Option } from 'commander'
import { command } from './command.ts'
import { configOption, dataOption, parseAccount } from './options.ts'
import type { LintOptions } from './policy-lint.ts'
import type { SimulateOptions } from './policy-simulate.ts'

export const policy = command(program => {
  const group = program
    .command('policy')
    .description('explain who may use a key (simulate), and find likely mistakes in a policy (lint)')
    .helpCommand(false)
  addSimulate(group)
  addLint(group)
})

function addSimulate(group: Command): void {
  group
    .command('simulate')
    .description(
      'decide a request by the stored policies, and say why; or, without --principal, each request on standard input (JSON lines)',
    )
    .addOption(dataOption())
    .addOption(configOption())
    .option('--principal <arn>', 'user, role, session of a role, or OIDC provider; name of a service')
    .option('--action <name>', 'as policies name it, with the prefix of its service')
    .option('--resource <id>', 'key id, key ARN, alias name, alias ARN or role ARN (default: "*", for actions on none)')
    .option('--region <name>', 'region of the request (default: that of the resource, or the first one configured)')
    .addOption(
      new Option('--context <key=value>', 'condition key of the request; may be repeated')
        .argParser(addToContext)
        .default(new Map(), 'those of the key and the principal'),
    )
    .option('--json', 'print the decision as JSON')
    .action(async (options: SimulateOptions) => {
      const { simulateCommand } = await import('./policy-simulate.ts')
      await simulateCommand(options)
    })
}

function addLint(group: Command): void {
  group
    .command('lint')
    .description('warn of likely mistakes in a policy; exit code 1 if there are any, 3 if AWS would refuse the policy')
    .addArgument(new Argument('<file>', 'policy document; - for standard input'))
    .addOption(
      new Option('--kind <kind>', 'kind of policy (default: key or trust if it names principals)').choices([
        'key',
        'trust',
        'identity',
      ]),
    )
    .option(
      '--account <id>',
      'account of the key or role (default: the first one that a key policy allows)',
      parseAccount,
    )
    .option('--json', 'print the warnings as JSON')
    .action(async (file: string, options: LintOptions) => {
      const { lintFile } = await import('./policy-lint.ts')
      await lintFile(file, options)
    })
}

/** A key may have several values. */
function addToContext(given: string, context: Map<string, readonly string[]>): Map<string, readonly string[]> {
  const [, key, value] = /^([^=]+)=([\s\S]*)$/.exec(given) ?? []
  if (key === undefined) throw new InvalidArgumentError('A condition key and its value are joined by "=".')
  return new Map(context).set(key, [...(context.get(key) ?? []), value!])
}
