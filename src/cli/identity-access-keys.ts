import type { Command } from 'commander'
import { Option } from 'commander'
import {
  administer,
  type IdentityOptions,
  print,
  printColumns,
  printJson,
  shownTime,
  withAccountOption,
  withDataOptions,
} from './identity-options.ts'

interface AccessKey {
  readonly accessKeyId: string
  readonly userName: string
  readonly status: string
  readonly createdAt?: number
  readonly lastUse?: {
    readonly usedAt: number
    readonly service: string
    readonly region: string
    readonly sourceAddress: string
  }
}

/** `strongroom identity access-key`. */
export function addAccessKeyCommands(identity: Command): void {
  const group = identity
    .command('access-key')
    .description('access keys of users, at most two each: create, update, delete, list')
    .helpCommand(false)
  withAccountOption(group.command('create'))
    .description('create an access key; its secret is shown this once')
    .argument('<user>', 'name of the user')
    .option('--json', 'print it as JSON')
    .action((user: string, options: IdentityOptions) =>
      administer(options, async call => {
        const created = await call<AccessKey & { readonly secretAccessKey: string }>('CreateAccessKey', {
          user,
          account: options.account,
        })
        if (options.json) return printJson(created)
        print(`aws_access_key_id = ${created.accessKeyId}`)
        print(`aws_secret_access_key = ${created.secretAccessKey}`)
      }),
    )
  withDataOptions(group.command('update'))
    .description('refuse requests with an access key (Inactive), or accept them again (Active)')
    .argument('<access key id>')
    .addOption(new Option('--status <status>').choices(['Active', 'Inactive']).makeOptionMandatory())
    .action((accessKeyId: string, options: IdentityOptions & { readonly status: string }) =>
      administer(options, call => call('UpdateAccessKey', { accessKeyId, status: options.status })),
    )
  withDataOptions(group.command('delete'))
    .description('delete an access key')
    .argument('<access key id>')
    .action((accessKeyId: string, options: IdentityOptions) =>
      administer(options, call => call('DeleteAccessKey', { accessKeyId })),
    )
  withAccountOption(group.command('list'))
    .description('list access keys with their last use: of a user, or of all in an account')
    .argument('[user]', 'name of the user')
    .option('--json', 'print them as JSON')
    .action((user: string | undefined, options: IdentityOptions) =>
      administer(options, call => list(call, user, options)),
    )
}

async function list(
  call: <O>(operation: string, input: object) => Promise<O>,
  user: string | undefined,
  { account, json }: IdentityOptions,
): Promise<void> {
  const { accessKeys } = await call<{ readonly accessKeys: readonly AccessKey[] }>('ListAccessKeys', { user, account })
  if (json) return printJson(accessKeys)
  printColumns(
    accessKeys.map(({ accessKeyId, userName, status, createdAt, lastUse }) => [
      accessKeyId,
      userName,
      status,
      createdAt === undefined ? '' : `created ${shownTime(createdAt)}`,
      lastUse
        ? `last used ${shownTime(lastUse.usedAt)} for ${lastUse.service} in ${lastUse.region} from ${lastUse.sourceAddress}`
        : 'never used',
    ]),
  )
}
