import type { Command } from 'commander'
import { Argument } from 'commander'
import { administer, type IdentityOptions, printColumns, printJson, withDataOptions } from './identity-options.ts'
import { parseAccount } from './options.ts'

interface Account {
  readonly id: string
  readonly name?: string
}

/** `strongroom identity account`. */
export function addAccountCommands(identity: Command): void {
  const group = identity.command('account').description('AWS accounts: create, delete, list').helpCommand(false)
  const id = () => new Argument('<id>', '12 digits').argParser(parseAccount)
  withDataOptions(group.command('create'))
    .description('create an account, in which there is nobody yet')
    .addArgument(id())
    .option('--name <name>', 'name, for people')
    .action((account: string, options: IdentityOptions & { readonly name?: string }) =>
      administer(options, call => call('CreateAccount', { account, name: options.name })),
    )
  withDataOptions(group.command('delete'))
    .description('delete an account that has no keys and no identities')
    .addArgument(id())
    .action((account: string, options: IdentityOptions) =>
      administer(options, call => call('DeleteAccount', { account })),
    )
  withDataOptions(group.command('list'))
    .description('list the accounts')
    .option('--json', 'print them as JSON')
    .action((options: IdentityOptions) =>
      administer(options, async call => {
        const { accounts } = await call<{ readonly accounts: readonly Account[] }>('ListAccounts', {})
        if (options.json) printJson(accounts)
        else printColumns(accounts.map(({ id, name = '' }) => [id, name]))
      }),
    )
}
