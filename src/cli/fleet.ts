import { Argument, type Command } from 'commander'
import type { ShownGateway } from '../operations/administration/list-gateways.ts'
import { command } from './command.ts'
import { administer, print, printColumns, printJson, shownTime, withDataOptions } from './identity-options.ts'
import type { ConfigOptions } from './options.ts'

export const fleet = command(program => {
  const group = program
    .command('fleet')
    .description('the gateways that share the database: list (the default) and remove')
    .helpCommand(false)
  addList(group)
  addRemove(group)
})

interface ListOptions extends ConfigOptions {
  readonly json?: boolean
}

function addList(group: Command): void {
  withDataOptions(group.command('list', { isDefault: true }))
    .description(
      'list the gateways, with versions, what they have not applied yet, leases, which one runs the jobs, and HSMs',
    )
    .option('--json', 'print them as JSON')
    .action(list)
}

function addRemove(group: Command): void {
  withDataOptions(group.command('remove').addArgument(new Argument('<gateway>', 'its name')))
    .description(
      'end the lease of a gateway whose machine is certainly off: until then, changes wait for its lease to end',
    )
    .action((gateway: string, options: ConfigOptions) =>
      administer(options, call => call('RemoveGateway', { gateway })),
    )
}

async function list({ json, ...options }: ListOptions): Promise<void> {
  await administer(options, async call => {
    const { gateways } = await call<{ readonly gateways: readonly ShownGateway[] }>('ListGateways', {})
    if (json) return printJson(gateways)
    if (gateways.length === 0) return print('This gateway shares its database with no other.')
    printColumns([['GATEWAY', 'VERSION', 'HOST', 'SINCE', 'BEHIND', 'LEASE', 'JOBS', 'HSMS'], ...gateways.map(row)])
  })
}

function row(shown: ShownGateway): readonly string[] {
  const {
    gateway,
    isThis,
    version = '?',
    host = '?',
    since,
    changesBehind,
    behindFor,
    holdsLease,
    leaseLeft,
    runsJobs,
    hsms = {},
  } = shown
  return [
    isThis ? `${gateway} *` : gateway,
    version,
    host,
    shownTime(since),
    changesBehind === 0 ? '0' : `${changesBehind} (${seconds(behindFor)})`,
    holdsLease ? seconds(leaseLeft) : 'none',
    runsJobs ? 'yes' : '',
    Object.entries(hsms)
      .map(([hsm, state]) => `${hsm}: ${state}`)
      .join(', '),
  ]
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`
}
