/** `strongroom xks rotate-credential`, `update-credential` and `delete-credential`. */
import { type Command, Option } from 'commander'
import type { XksProxyConfiguration } from '../model/xks/credentials.ts'
import { administer, printJson, withDataOptions } from './identity-options.ts'
import type { ConfigOptions } from './options.ts'
import { prefixArgument } from './xks-options.ts'

export function addCredentialCommands(xks: Command): void {
  withDataOptions(xks.command('rotate-credential').addArgument(prefixArgument()))
    .description(
      'add a credential to a prefix, and print what the console of AWS KMS imports; the former one stays valid until it is deleted',
    )
    .action((prefix: string, options: ConfigOptions) =>
      administer(options, async call => {
        const created = await call<{ readonly configuration: XksProxyConfiguration }>('CreateXksCredential', { prefix })
        printJson(created.configuration)
      }),
    )
  withDataOptions(xks.command('update-credential').addArgument(prefixArgument()))
    .description('refuse requests with a credential (Inactive), or accept them again (Active)')
    .argument('<access key id>')
    .addOption(new Option('--status <status>').choices(['Active', 'Inactive']).makeOptionMandatory())
    .action((prefix: string, accessKeyId: string, options: ConfigOptions & { readonly status: string }) =>
      administer(options, call => call('UpdateXksCredential', { prefix, accessKeyId, status: options.status })),
    )
  withDataOptions(xks.command('delete-credential').addArgument(prefixArgument()))
    .description('delete a credential')
    .argument('<access key id>')
    .action((prefix: string, accessKeyId: string, options: ConfigOptions) =>
      administer(options, call => call('DeleteXksCredential', { prefix, accessKeyId })),
    )
}
