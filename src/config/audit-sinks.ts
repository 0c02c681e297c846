/** Where checkpoints, and audit records, go besides the journal. */
import { resolve } from 'node:path'
import { z } from 'zod'
import { OperatorError } from '../errors.ts'
import { duration, size } from '../quantities.ts'
import { clientTlsFiles, withBothOrNeither } from './client-tls.ts'
import { isSecureUrl } from './urls.ts'

const timing = (flushInterval: string) => ({
  flushInterval: duration('100ms', '5m').prefault(flushInterval),
  timeout: duration('100ms', '10m').prefault('30s'),
})

const common = {
  records: z.boolean().default(false),
  start: z.enum(['beginning', 'now']).default('beginning'),
}

/** RFC 5424, section 6.2.1: those that suit. */
const facilities = [
  'auth',
  'authpriv',
  'audit',
  'local0',
  'local1',
  'local2',
  'local3',
  'local4',
  'local5',
  'local6',
  'local7',
] as const

const url = z.string().refine(isSecureUrl, 'use an https:// URL without user and password (http:// for loopback only)')

const headerName = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/, 'not a name of a header')

const file = z.strictObject({ type: z.literal('file'), ...common, ...timing('1s'), file: z.string() })

const syslog = z
  .strictObject({
    type: z.literal('syslog'),
    ...common,
    ...timing('1s'),
    ...clientTlsFiles,
    host: z.string().min(1),
    port: z.int().min(1).max(65535).default(6514),
    facility: z.enum(facilities).default('audit'),
    maxMessageSize: size('2KiB', '16MiB').prefault('8KiB'),
  })
  .refine(...withBothOrNeither)

const webhook = z
  .strictObject({
    type: z.literal('webhook'),
    ...common,
    ...timing('1s'),
    ...clientTlsFiles,
    url: url.exactOptional(),
    urlFile: z.string().exactOptional(),
    urlVariable: z.string().exactOptional(),
    headerFiles: z.record(headerName, z.string()).default({}),
    headerVariables: z.record(headerName, z.string()).default({}),
    maxBodySize: size('16KiB', '64MiB').prefault('1MiB'),
  })
  .refine(...withBothOrNeither)
  .refine(
    ({ url, urlFile, urlVariable }) => [url, urlFile, urlVariable].filter(value => value !== undefined).length === 1,
    'set one of url, urlFile and urlVariable',
  )

const s3 = z
  .strictObject({
    type: z.literal('s3'),
    ...common,
    ...timing('1m'),
    caFile: z.string().exactOptional(),
    bucket: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'not a name of a bucket'),
    region: z
      .string()
      .regex(/^[a-z0-9-]{1,64}$/, 'not a region name, such as eu-west-1')
      .default('us-east-1'),
    endpoint: url.exactOptional(),
    pathStyle: z.boolean().default(true),
    prefix: z
      .string()
      .regex(/^[\w!.*'()/-]{0,512}$/, "use letters, digits and the characters ! - _ . * ' ( ) /")
      .default(''),
    accessKeyId: z.string().regex(/^\w{1,128}$/, 'not an access key id'),
    secretAccessKeyFile: z.string().exactOptional(),
    secretAccessKeyVariable: z.string().exactOptional(),
  })
  .refine(
    ({ secretAccessKeyFile, secretAccessKeyVariable }) =>
      (secretAccessKeyFile === undefined) !== (secretAccessKeyVariable === undefined),
    'set either secretAccessKeyFile or secretAccessKeyVariable',
  )

export const auditSink = z.discriminatedUnion(
  'type',
  [file, syslog, webhook, s3],
  'use file, syslog, webhook or s3 as type',
)

export type SinkConfig = z.infer<typeof auditSink>
export type FileSinkConfig = z.infer<typeof file>
export type SyslogSinkConfig = z.infer<typeof syslog>
export type WebhookSinkConfig = z.infer<typeof webhook>
export type S3SinkConfig = z.infer<typeof s3>

/** Whether a sink would write into a file, such as the journal. @param file like those of the sinks, relative to the same folder */
export function isCopiedTo(file: string, sinks: Readonly<Record<string, SinkConfig>>): boolean {
  return Object.values(sinks).some(sink => sink.type === 'file' && resolve('/', sink.file) === resolve('/', file))
}

/** Makes the paths of files absolute. */
export function withAbsoluteSinkFiles(sink: SinkConfig, absolute: (path: string) => string): SinkConfig {
  const entries = Object.entries(sink).map(([name, value]): [string, unknown] => {
    if (name === 'headerFiles') {
      const files = Object.entries(value as Record<string, string>)
      return [name, Object.fromEntries(files.map(([header, file]) => [header, absolute(file)]))]
    }
    return [name, /^file$|File$/.test(name) ? absolute(value as string) : value]
  })
  return Object.fromEntries(entries) as SinkConfig
}

/** Files that hold secrets. */
export function secretFilesOf(sink: SinkConfig): string[] {
  const files: (string | undefined)[] = []
  if (sink.type === 'syslog' || sink.type === 'webhook') files.push(sink.keyFile)
  if (sink.type === 'webhook') files.push(sink.urlFile, ...Object.values(sink.headerFiles))
  if (sink.type === 's3') files.push(sink.secretAccessKeyFile)
  return files.filter(file => file !== undefined)
}

/**
 * The environment variables that hold the secrets of a sink, for its process only. Throws OperatorError for one that is not set. They are
 * not part of the configuration, which is put on record.
 */
export function secretVariablesOf(sink: SinkConfig): Record<string, string> {
  const names: (string | undefined)[] = []
  if (sink.type === 'webhook') names.push(sink.urlVariable, ...Object.values(sink.headerVariables))
  if (sink.type === 's3') names.push(sink.secretAccessKeyVariable)
  return Object.fromEntries(names.filter(name => name !== undefined).map(name => [name, variable(name)]))
}

function variable(name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new OperatorError(`environment variable ${name} is not set: an audit sink needs it`)
  return value
}
