import { type Command, InvalidArgumentError, Option } from 'commander'
import { OperatorError } from '../errors.ts'
import type { ConfigOptions } from './options.ts'

export interface XksDoctorOptions extends ConfigOptions {
  readonly xks?: string
  readonly xksConfiguration?: string
  readonly xksAddress?: string
  readonly xksCa?: string
  readonly json?: boolean
}

/** XksProxyUriEndpoint of CreateCustomKeyStore. */
function parseEndpoint(text: string): string {
  if (/^https:\/\/[a-zA-Z0-9.-]+$/.test(text) && text.length >= 10 && text.length <= 128) return text
  throw new InvalidArgumentError('An endpoint is https:// and a host name, without a port.')
}

function parseHostAndPort(text: string): string {
  if (/^[^/@?#\s]+:\d{1,5}$/.test(text)) return text
  throw new InvalidArgumentError('It is host:port.')
}

export function addXksOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--xks <endpoint>',
        'instead, test the XKS proxy at https://host as AWS KMS would: name, certificate, TLS, round trip, clock, keys',
      )
        .argParser(parseEndpoint)
        .conflicts(['hsm', 'writeProfile', 'force']),
    )
    .option('--xks-configuration <file>', 'what "xks create-prefix" printed: without it, only name and TLS are tested')
    .addOption(
      new Option('--xks-address <host:port>', 'where to connect (default: port 443 of the endpoint)').argParser(
        parseHostAndPort,
      ),
    )
    .option('--xks-ca <file>', 'certificate authorities in PEM (default: those that Node.js trusts)')
}

/** Throws OperatorError if an option is given that only a test of an XKS proxy has. */
export function refuseXksOptions({ xksConfiguration, xksAddress, xksCa }: XksDoctorOptions): void {
  const given = { '--xks-configuration': xksConfiguration, '--xks-address': xksAddress, '--xks-ca': xksCa }
  const [option] = Object.entries(given).find(([, value]) => value !== undefined) ?? []
  if (option !== undefined) throw new OperatorError(`option '${option}' needs '--xks <endpoint>'`, { exitCode: 2 })
}
