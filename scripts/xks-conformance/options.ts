/** The command line of `npm run xks-conformance`. */
import { readFileSync } from 'node:fs'
import { Command, InvalidArgumentError } from 'commander'
import type { Credential } from './signature.ts'

interface Address {
  readonly hostname: string
  readonly port: number
}

interface Flags {
  readonly region: string
  readonly key: string
  readonly disabledKey?: string
  readonly deniedKey?: string
  readonly encryptOnlyKey?: string
  readonly decryptOnlyKey?: string
  readonly principalArn: string
  readonly kmsKeyArn: string
  readonly viaService?: string
  readonly ca?: string
  readonly clientCertificate?: string
  readonly clientKey?: string
  readonly otherCertificate?: string
  readonly otherKey?: string
  readonly connectTo?: Address
  readonly concurrency: number
  /** Milliseconds. */
  readonly timeout: number
  readonly only?: string
  readonly strict: boolean
}

export interface Options extends Flags, Credential {
  /** Ends with `/kms/xks/v1`. */
  readonly url: URL
}

interface Written extends Flags {
  readonly accessKeyId?: string
  readonly secretFile?: string
  readonly configuration?: string
}

/** Throws CommanderError. @param args without the program */
export function readOptions(args: readonly string[]): Options {
  const program: Command = commandLine().parse(args, { from: 'user' })
  const written = program.opts<Written>()
  const url = urlOf(program.args[0]!)
  if (!url) program.error('the URL is https://host[:port][/prefix]/kms/xks/v1', { exitCode: 2 })
  for (const name of ['client', 'other'] as const)
    if ((written[`${name}Certificate`] === undefined) !== (written[`${name}Key`] === undefined))
      program.error(`--${name}-certificate and --${name}-key need each other`, { exitCode: 2 })
  const credential = credentialOf(written)
  if (!credential)
    program.error('name the credential: --access-key-id and --secret-file, or --configuration', { exitCode: 2 })
  return { ...written, ...credential, url }
}

function commandLine(): Command {
  return new Command('xks-conformance')
    .description(
      'Checks an XKS proxy against the AWS KMS External Key Store Proxy API Specification 1.0.3. Exit code 1 if a check fails. It only encrypts and decrypts its own test data.',
    )
    .exitOverride()
    .argument('<url>', 'https://host[:port][/prefix]/kms/xks/v1')
    .option('--access-key-id <id>', 'access key ID of the credential')
    .option('--secret-file <file>', 'file with the secret access key')
    .option('--configuration <file>', 'the JSON that the console of AWS KMS imports, for both')
    .requiredOption('--region <region>', 'region of the signatures')
    .requiredOption('--key <id>', 'external key id of an enabled AES-256 key that may encrypt and decrypt')
    .option('--disabled-key <id>', 'a key that is disabled or blocked')
    .option('--denied-key <id>', 'a key that the principal below may not use')
    .option('--encrypt-only-key <id>', 'a key that cannot decrypt')
    .option('--decrypt-only-key <id>', 'a key that cannot encrypt')
    .option('--principal-arn <arn>', 'awsPrincipalArn of the requests', 'arn:aws:iam::123456789012:user/Alice')
    .option(
      '--kms-key-arn <arn>',
      'kmsKeyArn of the requests',
      'arn:aws:kms:us-east-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab',
    )
    .option('--via-service <service>', 'kmsViaService of the requests')
    .option('--ca <file>', 'authorities of the certificate of the proxy, in PEM, in place of those of Node.js')
    .option('--client-certificate <file>', 'client certificate, in PEM')
    .option('--client-key <file>', 'its key, in PEM')
    .option('--other-certificate <file>', 'a client certificate that the proxy must refuse, in PEM')
    .option('--other-key <file>', 'its key, in PEM')
    .option('--connect-to <host:port>', 'connect there instead, with the host name of the URL', parseAddress)
    .option('--concurrency <n>', 'requests at the same time', parseCount, 32)
    .option('--timeout <ms>', 'longest wait for an answer', parseCount, 5000)
    .option('--only <text>', 'only checks whose names contain the text')
    .option('--strict', 'let what a proxy SHOULD do fail as well', false)
}

function urlOf(text: string): URL | undefined {
  if (!/^https:\/\/[a-zA-Z0-9.-]+(:\d+)?(\/[a-zA-Z0-9/_-]+)?\/kms\/xks\/v1$/.test(text)) return undefined
  return new URL(text)
}

function credentialOf({ accessKeyId, secretFile, configuration }: Written): Credential | undefined {
  if (configuration !== undefined) {
    const { XksProxyAuthenticationCredential: written } = JSON.parse(readFileSync(configuration, 'utf8')) as {
      readonly XksProxyAuthenticationCredential: { readonly AccessKeyId: string; readonly RawSecretAccessKey: string }
    }
    return { accessKeyId: written.AccessKeyId, secretAccessKey: written.RawSecretAccessKey }
  }
  if (accessKeyId === undefined || secretFile === undefined) return undefined
  return { accessKeyId, secretAccessKey: readFileSync(secretFile, 'utf8').trim() }
}

function parseCount(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It is a positive number.')
}

function parseAddress(text: string): Address {
  const [, hostname, port] = /^(.+):(\d{1,5})$/.exec(text) ?? []
  if (hostname === undefined) throw new InvalidArgumentError('It is host:port.')
  return { hostname, port: Number(port) }
}
