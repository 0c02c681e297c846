/** `strongroom xks create-prefix`, `prefixes`, `update-prefix` and `delete-prefix`. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { OperatorError } from '../errors.ts'
import type { XksProxyConfiguration } from '../model/xks/credentials.ts'
import type { ShownPrefix } from '../operations/administration/xks-prefixes.ts'
import {
  administer,
  print,
  printColumns,
  printJson,
  readText,
  shownTime,
  withAccountOption,
  withDataOptions,
} from './identity-options.ts'
import type { ConfigOptions } from './options.ts'
import { prefixArgument, shownName } from './xks-options.ts'

interface Settings extends ConfigOptions {
  readonly quota?: number | 'none'
  readonly clientCertificate?: string
  readonly clientCa?: string
}

interface CreateOptions extends Settings {
  readonly account?: string
  readonly region: string
  readonly sampleProxyAad?: boolean
}

interface UpdateOptions extends Settings {
  readonly freeze?: boolean
  readonly unfreeze?: boolean
  readonly sampleProxyAad?: 'on' | 'off'
}

export function addPrefixCommands(xks: Command): void {
  withSettings(withAccountOption(xks.command('create-prefix').addArgument(prefixArgument())))
    .description(
      'create a prefix, and print what the console of AWS KMS imports: its path, and a credential that is shown this once',
    )
    .requiredOption('--region <region>', 'AWS Region of the KMS that calls, and of the keys')
    .option('--sample-proxy-aad', "decrypt what AWS's sample proxy encrypted, too")
    .action((prefix: string, options: CreateOptions) =>
      administer(options, async call => {
        const { account, region, sampleProxyAad } = options
        const { quota, clientCertificate } = settingsOf(options)
        const input = {
          prefix,
          account,
          region,
          sampleProxyAad,
          quota: quota ?? undefined,
          clientCertificate: clientCertificate ?? undefined,
        }
        printJson(
          (await call<{ readonly configuration: XksProxyConfiguration }>('CreateXksPrefix', input)).configuration,
        )
      }),
    )
  withDataOptions(xks.command('prefixes'))
    .description('list the prefixes, with their settings, credentials and last uses')
    .option('--json', 'print them as JSON')
    .action(list)
  withSettings(withDataOptions(xks.command('update-prefix').addArgument(prefixArgument())))
    .description('change settings of a prefix, or freeze it, from the next request on')
    .addOption(new Option('--freeze', 'refuse all requests for its keys').conflicts('unfreeze'))
    .option('--unfreeze', 'answer requests again')
    .addOption(new Option('--sample-proxy-aad <on|off>', "the AAD of AWS's sample proxy").choices(['on', 'off']))
    .action((prefix: string, options: UpdateOptions) =>
      administer(options, async call => {
        const { freeze, unfreeze, sampleProxyAad: aad } = options
        const frozen = freeze || unfreeze ? freeze === true : undefined
        const sampleProxyAad = aad && aad === 'on'
        printPrefix(
          await call<ShownPrefix>('UpdateXksPrefix', { prefix, frozen, sampleProxyAad, ...settingsOf(options) }),
        )
      }),
    )
  withDataOptions(xks.command('delete-prefix').addArgument(prefixArgument()))
    .description('delete a prefix without external keys, with its credentials')
    .action((prefix: string, options: ConfigOptions) =>
      administer(options, call => call('DeleteXksPrefix', { prefix })),
    )
}

function withSettings(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--quota <n>',
        'requests per second, above which it answers ThrottlingException; "none" for no limit',
      ).argParser(parseQuota),
    )
    .option(
      '--client-certificate <name>',
      'common name that client certificates must have, such as cks.kms.us-east-1.amazonaws.com; "none" for no client certificate',
    )
    .option(
      '--client-ca <file>',
      'certificates in PEM: authorities of its client certificates (default: those of the listener)',
    )
}

function parseQuota(text: string): number | 'none' {
  if (text === 'none') return text
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('A quota is a number of requests per second, or "none".')
}

/** Null takes a setting away. */
function settingsOf({ quota, clientCertificate: commonName, clientCa }: Settings) {
  if (clientCa !== undefined && (commonName ?? 'none') === 'none')
    throw new OperatorError('--client-ca needs --client-certificate with a name', { exitCode: 2 })
  const ca = clientCa === undefined ? undefined : readText(clientCa)
  return {
    quota: quota === 'none' ? null : quota,
    clientCertificate: commonName === 'none' ? null : commonName && { commonName, ca },
  }
}

async function list(options: ConfigOptions & { readonly json?: boolean }): Promise<void> {
  await administer(options, async call => {
    const { prefixes } = await call<{ readonly prefixes: readonly ShownPrefix[] }>('ListXksPrefixes', {})
    if (options.json) return printJson(prefixes)
    for (const prefix of prefixes) printPrefix(prefix)
  })
}

function printPrefix(prefix: ShownPrefix): void {
  const { uriPath, account, region, keys, frozen, quota, clientCertificate, sampleProxyAad, credentials } = prefix
  const settings = [
    uriPath,
    `account ${account}`,
    region,
    `${keys} key${keys === 1 ? '' : 's'}`,
    frozen && 'frozen',
    quota !== undefined && `${quota} requests/s`,
    clientCertificate &&
      `client certificate ${clientCertificate.commonName}${clientCertificate.ca === undefined ? '' : ' of its own CA'}`,
    sampleProxyAad && 'sample proxy AAD',
  ]
  print(`${shownName(prefix.prefix)}  ${settings.filter(setting => setting).join(', ')}`)
  printColumns(
    credentials.map(({ accessKeyId, status, createdAt, lastUse }) => [
      `  ${accessKeyId}`,
      status,
      `created ${shownTime(createdAt)}`,
      lastUse ? `last used ${shownTime(lastUse.usedAt)} from ${lastUse.sourceAddress}` : 'never used',
    ]),
  )
}
