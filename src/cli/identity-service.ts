/** `strongroom identity service`: services, which call as service principals or on behalf of callers. */
import { Argument, type Command, Option } from 'commander'
import { administer as withAdministration } from './identity-options.ts'
import { type ConfigOptions, configOption, dataOption, parseAccount } from './options.ts'

interface PutOptions extends ConfigOptions {
  readonly user: string
  readonly account: string
  readonly actsIn: readonly string[]
}

interface Service {
  readonly name: string
  readonly userArn: string
  readonly accounts: readonly string[]
}

export function addService(identity: Command): void {
  const group = identity
    .command('service')
    .description('services that call for callers or their resources: put, delete, list')
    .helpCommand(false)
  withOptions(group.command('put'))
    .description('let the access keys of a user call as a service, in some accounts')
    .addArgument(nameArgument())
    .requiredOption('--user <name>', 'user, whose access keys become those of the service')
    .requiredOption('--account <id>', 'account of the user', parseAccount)
    .addOption(
      new Option('--acts-in <id>', 'account in which the service may act; may be repeated')
        .argParser((id: string, ids: readonly string[] | undefined) => [...(ids ?? []), parseAccount(id)])
        .makeOptionMandatory(),
    )
    .action(put)
  withOptions(group.command('delete'))
    .description('delete a service; its user calls as itself again')
    .addArgument(nameArgument())
    .action((name: string, options: ConfigOptions) =>
      withAdministration(options, administer => administer('DeleteService', { name })),
    )
  withOptions(group.command('list')).description('list the services').action(list)
}

function withOptions(command: Command): Command {
  return command.addOption(dataOption()).addOption(configOption())
}

function nameArgument(): Argument {
  return new Argument('<name>', 'service principal, such as s3.amazonaws.com')
}

async function put(name: string, options: PutOptions): Promise<void> {
  const { account, user, actsIn: accounts } = options
  await withAdministration(options, async administer => {
    print(await administer<Service>('PutService', { name, user: { account, name: user }, accounts }))
  })
}

async function list(options: ConfigOptions): Promise<void> {
  await withAdministration(options, async administer => {
    const { services } = await administer<{ services: readonly Service[] }>('ListServices', {})
    for (const service of services) print(service)
  })
}

function print({ name, userArn, accounts }: Service): void {
  console.log(`${name}  ${userArn}  acts in ${accounts.join(', ')}`)
}
