/** `strongroom xks keys`. */
import { type Command, Option } from 'commander'
import type { ShownXksKey } from '../operations/administration/xks-keys.ts'
import { administer, print, printColumns, printJson, withDataOptions } from './identity-options.ts'
import type { ConfigOptions } from './options.ts'
import { prefixArgument } from './xks-options.ts'

interface AddOptions extends ConfigOptions {
  readonly id?: string
  readonly pinFirstUser?: boolean
}

interface UpdateOptions extends ConfigOptions {
  readonly freeze?: boolean
  readonly unfreeze?: boolean
  readonly pin?: boolean
}

export function addKeyCommands(xks: Command): void {
  const group = xks
    .command('keys')
    .description('external keys of a prefix, which are KMS keys of the gateway: add, list, update, remove')
    .helpCommand(false)
  withDataOptions(group.command('add').addArgument(prefixArgument()))
    .description('serve a KMS key as an external key, and print its external key id')
    .argument('<key>', 'id, ARN or alias of a SYMMETRIC_DEFAULT key in account and region of the prefix')
    .option('--id <id>', 'external key id (default: the id of the key)')
    .option('--pin-first-user', 'let only the first KMS key use it that does')
    .action((prefix: string, key: string, { id, pinFirstUser, ...options }: AddOptions) =>
      administer(options, async call => {
        print((await call<ShownXksKey>('CreateXksKey', { prefix, key, id, pinFirstUser })).id)
      }),
    )
  withDataOptions(group.command('list').addArgument(prefixArgument()))
    .description('list the external keys of a prefix')
    .option('--json', 'print them as JSON')
    .action(list)
  withDataOptions(group.command('update').addArgument(prefixArgument()))
    .description('freeze an external key, or change its pin, from the next request on')
    .argument('<id>', 'external key id')
    .addOption(new Option('--freeze', 'refuse all requests for it').conflicts('unfreeze'))
    .option('--unfreeze', 'answer requests again')
    .option('--pin', 'let only the next KMS key use it that does, or the one that it is pinned to')
    .option('--no-pin', 'let every KMS key use it, and forget the one that it is pinned to')
    .action((prefix: string, id: string, { freeze, unfreeze, pin, ...options }: UpdateOptions) =>
      administer(options, async call => {
        const frozen = freeze || unfreeze ? freeze === true : undefined
        printKeys([await call<ShownXksKey>('UpdateXksKey', { prefix, id, frozen, pinFirstUser: pin })])
      }),
    )
  withDataOptions(group.command('remove').addArgument(prefixArgument()))
    .description('serve an external key no longer; the KMS key behind it stays')
    .argument('<id>', 'external key id')
    .action((prefix: string, id: string, options: ConfigOptions) =>
      administer(options, call => call('DeleteXksKey', { prefix, id })),
    )
}

async function list(prefix: string, options: ConfigOptions & { readonly json?: boolean }): Promise<void> {
  await administer(options, async call => {
    const { keys } = await call<{ readonly keys: readonly ShownXksKey[] }>('ListXksKeys', { prefix })
    if (options.json) return printJson(keys)
    printKeys(keys)
  })
}

function printKeys(keys: readonly ShownXksKey[]): void {
  printColumns(
    keys.map(({ id, keyArn, keyState, frozen, pinFirstUser, pinnedTo }) => [
      id,
      keyArn,
      keyState ?? 'deleted',
      [
        frozen && 'frozen',
        pinnedTo ? `pinned to ${pinnedTo}` : pinFirstUser && 'will be pinned to the first KMS key that uses it',
      ]
        .filter(text => text)
        .join(', '),
    ]),
  )
}
