/** Where storage is: a SQLite file, or a PostgreSQL database. */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { z } from 'zod'
import { OperatorError } from '../errors.ts'
import { duration } from '../quantities.ts'
import { clientTlsFiles, withBothOrNeither } from './client-tls.ts'

const tls = z
  .strictObject({
    mode: z.enum(['verify-full', 'verify-ca', 'off']).default('verify-full'),
    ...clientTlsFiles,
  })
  .refine(...withBothOrNeither)

/** An identifier of PostgreSQL that is the same whether it is quoted or not, so that it is what the operator sees everywhere. */
const identifier = z
  .string()
  .regex(/^[a-z_][a-z0-9_]{0,50}$/, 'not a schema: use up to 51 lower-case letters, digits and underscores')

const postgres = z
  .strictObject({
    host: z.string().min(1),
    port: z.int().min(1).max(65535).default(5432),
    database: z.string().min(1).default('strongroom'),
    user: z.string().min(1).default('strongroom'),
    passwordFile: z.string().exactOptional(),
    passwordVariable: z.string().exactOptional(),
    schema: identifier.default('public'),
    tls: tls.exactOptional(),
    maxConnections: z.int().min(3).max(1000).default(10),
    connectTimeout: duration('100ms', '1m').prefault('5s'),
    statementTimeout: duration('100ms', '5m').prefault('10s'),
  })
  .refine(
    ({ passwordFile, passwordVariable }) => passwordFile === undefined || passwordVariable === undefined,
    'set passwordFile or passwordVariable, not both',
  )
  .refine(
    ({ host, tls }) => tls !== undefined || isOfThisMachine(host),
    'tls is missing: another machine is reached over TLS; in a network that you trust, set tls: { mode: off }',
  )
  .refine(
    ({ host, tls }) => tls === undefined || tls.mode === 'off' || !host.startsWith('/'),
    'a Unix socket has no TLS: leave tls out',
  )

export const storage = z
  .strictObject({
    file: z.string().optional(),
    postgres: postgres.optional(),
    lease: duration('1s', '10m').prefault('30s'),
  })
  .refine(({ file, postgres }) => (file === undefined) !== (postgres === undefined), 'set either file or postgres')

export type StorageConfig = z.infer<typeof storage>
export type PostgresConfig = z.infer<typeof postgres>

/** Loopback addresses, and folders of Unix sockets. */
function isOfThisMachine(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('/') || (isIP(host) === 4 && host.startsWith('127.'))
}

export function withAbsoluteStorageFiles(config: StorageConfig, absolute: (path: string) => string): StorageConfig {
  const { file, postgres } = config
  return {
    ...config,
    ...(file !== undefined && { file: absolute(file) }),
    ...(postgres && {
      postgres: {
        ...withAbsolute(postgres, absolute),
        ...(postgres.tls && { tls: withAbsolute(postgres.tls, absolute) }),
      },
    }),
  }
}

/** Of all members that name a file. */
function withAbsolute<T extends object>(settings: T, absolute: (path: string) => string): T {
  const entries = Object.entries(settings).map(([name, value]) => [
    name,
    name.endsWith('File') ? absolute(value) : value,
  ])
  return Object.fromEntries(entries) as T
}

/** Files that hold secrets. */
export function secretFilesOf({ postgres }: StorageConfig): string[] {
  return [postgres?.passwordFile, postgres?.tls?.keyFile].filter(file => file !== undefined)
}

/** Empty without one. It is not part of the configuration, which is put on record. Throws OperatorError. */
export function passwordOf({ passwordFile, passwordVariable }: PostgresConfig): string {
  if (passwordFile !== undefined) return firstLineOf(passwordFile)
  if (passwordVariable === undefined) return ''
  const password = process.env[passwordVariable]
  if (password) return password
  throw new OperatorError(`environment variable ${passwordVariable} is not set: it must hold the password of storage`)
}

function firstLineOf(file: string): string {
  try {
    const text = readFileSync(file, 'utf8').replace(/\r?\n$/, '')
    if (text !== '') return text
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new OperatorError(`cannot read the password of storage in ${file}: ${code}`, { cause: error })
  }
  throw new OperatorError(`no password of storage in ${file}: it is empty`)
}
