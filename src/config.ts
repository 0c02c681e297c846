import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { OperatorError } from './errors.ts'
import { nearestName } from './nearest-name.ts'

/** The configuration: read once, validated, frozen. docs/configuration.yaml explains every key. */

const port = z.int().min(0).max(65535)
const milliseconds = z.int().min(1)
const region = z.string().regex(/^([a-z]+-){2,3}\d+$/, 'is not the name of a region')

const name = z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, 'is not a name: lower-case letters, digits and dashes')

const token = z
  .strictObject({ label: z.string().optional(), serial: z.string().optional() })
  .refine(
    ({ label, serial }) => (label === undefined) !== (serial === undefined),
    'names a label or a serial, not both',
  )

/** What one of several tokens with the same keys has to itself. */
const member = z.strictObject({
  library: z.string().exactOptional(),
  libraryParameters: z.string().optional(),
  token: token.optional(),
  pinFile: z.string().optional(),
  pinVariable: z.string().optional(),
  environment: z.record(z.string(), z.string()).exactOptional(),
})

const hsm = z
  .strictObject({
    profile: z.string(),
    library: z.string(),
    libraryParameters: z.string().optional(),
    token,
    pinFile: z.string().optional(),
    pinVariable: z.string().optional(),
    members: z.record(name, member).optional(),
    workers: z.int().min(1).max(64).default(2),
    sessions: z.int().min(1).max(1024).optional(),
    queue: z.int().min(1).default(1000),
    deadline: milliseconds.default(2000),
    publicKeyOperations: z.enum(['hsm', 'gateway']).default('hsm'),
    strictCustody: z.boolean().default(false),
    environment: z.record(z.string(), z.string()).default({}),
  })
  .refine(
    ({ pinFile, pinVariable }) => (pinFile === undefined) !== (pinVariable === undefined),
    'has its PIN in a pinFile or in a pinVariable, one of the two',
  )

/** Exported for the test that docs/configuration.yaml leaves nothing out. */
export const schema = z.strictObject({
  listen: z
    .strictObject({
      host: z.string().default('127.0.0.1'),
      port: port.default(7700),
      bodyLimit: z
        .int()
        .min(1024)
        .default(192 * 1024),
      bodyBudget: z
        .int()
        .min(1024 * 1024)
        .default(32 * 1024 * 1024),
      maxConnections: z.int().min(1).default(1024),
      cors: z.boolean().default(true),
      tls: z.strictObject({ certificate: z.string(), key: z.string() }).optional(),
    })
    .refine(({ bodyLimit, bodyBudget }) => bodyLimit <= bodyBudget, 'has a bodyLimit over its bodyBudget')
    .prefault({}),
  metrics: z.strictObject({ host: z.string().default('127.0.0.1'), port: port.optional() }).prefault({}),
  storage: z.strictObject({ file: z.string() }),
  audit: z.strictObject({ file: z.string() }),
  deletion: z
    .strictObject({
      clockDelay: z
        .int()
        .min(60)
        .max(30 * 86_400)
        .default(86_400),
    })
    .prefault({}),
  authentication: z.strictObject({ clockSkew: z.int().min(1).max(86_400).default(300) }).prefault({}),
  hsms: z.record(name, hsm),
  regions: z.record(region, z.string()),
  log: z.strictObject({ level: z.enum(['fatal', 'error', 'warn', 'info', 'debug']).default('info') }).prefault({}),
})

export type Config = z.infer<typeof schema>
export type HsmConfig = z.infer<typeof hsm>
export type MemberConfig = z.infer<typeof member>

/** What the command line says instead of the file. */
export interface ListenOverrides {
  readonly host?: string | undefined
  readonly port?: number | undefined
}

/** Reads a configuration file; paths in it are relative to its folder. Throws OperatorError of one line. */
export function readConfig(file: string, listen: ListenOverrides = {}): Config {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'does not exist' : 'cannot be read'
    throw new OperatorError(`the configuration ${file} ${reason}`, { cause: error })
  }
  return freeze(withPins(withListen(parseConfig(text, file), listen)))
}

/** Validates the text of a configuration. `file` names it in messages and anchors relative paths. */
export function parseConfig(text: string, file: string): Config {
  let written: unknown
  try {
    written = parse(text)
  } catch (error) {
    const reason = (error as Error).message.split('\n')[0]!.replace(/:$/, '')
    throw new OperatorError(`the configuration ${file} is not valid YAML: ${reason}`, { cause: error })
  }
  const { success, data, error } = schema.safeParse(written)
  if (!success) throw new OperatorError(`the configuration ${file} ${describe(error.issues[0]!)}`)
  for (const [name, hsm] of Object.entries(data.regions)) {
    if (Object.hasOwn(data.hsms, hsm)) continue
    throw new OperatorError(`the configuration ${file} gives region ${name} the HSM ${hsm}, which is not under hsms`)
  }
  if (Object.keys(data.regions).length === 0) throw new OperatorError(`the configuration ${file} names no region`)
  return withAbsolutePaths(data, dirname(resolve(file)))
}

function withAbsolutePaths(config: Config, folder: string): Config {
  const absolute = (path: string) => resolve(folder, path)
  const { tls } = config.listen
  return {
    ...config,
    listen: {
      ...config.listen,
      ...(tls && { tls: { certificate: absolute(tls.certificate), key: absolute(tls.key) } }),
    },
    storage: { file: absolute(config.storage.file) },
    audit: { file: absolute(config.audit.file) },
    hsms: Object.fromEntries(
      Object.entries(config.hsms).map(([name, hsm]) => {
        // A profile is a name, or a file.
        const profile = /^\.{0,2}\//.test(hsm.profile) ? absolute(hsm.profile) : hsm.profile
        const members = hsm.members && mapValues(hsm.members, member => withAbsoluteFiles(member, absolute))
        return [name, { ...withAbsoluteFiles(hsm, absolute), profile, members }]
      }),
    ),
  }
}

/** Hands the variables that hold PINs on to those who log in. Throws OperatorError for one that is not set. */
function withPins(config: Config): Config {
  return {
    ...config,
    hsms: mapValues(config.hsms, hsm => ({
      ...withPin(hsm),
      members: hsm.members && mapValues(hsm.members, member => withPin({ environment: hsm.environment, ...member })),
    })),
  }
}

function withPin<T extends Pick<MemberConfig, 'pinVariable' | 'environment'>>(part: T): T {
  const { pinVariable, environment } = part
  if (pinVariable === undefined) return part
  const pin = process.env[pinVariable]
  if (pin === undefined)
    throw new OperatorError(`the environment variable ${pinVariable}, which holds a PIN, is not set`)
  return { ...part, pinFile: undefined, environment: { ...environment, [pinVariable]: pin } }
}

type Files = Pick<MemberConfig, 'pinFile' | 'environment'>

/** A variable may hold anything; a value that begins with ./ or ../ is a path. */
function withAbsoluteFiles<T extends Files>(part: T, absolute: (path: string) => string): T {
  const { pinFile, environment } = part
  const value = (text: string) => (/^\.{1,2}\//.test(text) ? absolute(text) : text)
  return {
    ...part,
    ...(pinFile !== undefined && { pinFile: absolute(pinFile) }),
    ...(environment && { environment: mapValues(environment, value) }),
  }
}

function mapValues<T>(record: Readonly<Record<string, T>>, change: (value: T) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]))
}

function withListen(config: Config, { host, port }: ListenOverrides): Config {
  const { listen } = config
  return { ...config, listen: { ...listen, host: host ?? listen.host, port: port ?? listen.port } }
}

function freeze<T extends object>(value: T): T {
  for (const member of Object.values(value)) if (typeof member === 'object' && member !== null) freeze(member)
  return Object.freeze(value)
}

function describe(issue: z.core.$ZodIssue): string {
  const path = issue.path.join('.')
  if (issue.code !== 'unrecognized_keys') {
    const { message } = issue.code === 'invalid_key' ? issue.issues[0]! : issue
    return `has a mistake${path && ` at ${path}`}: ${message}`
  }
  const name = issue.keys[0]!
  const nearest = nearestName(name, knownNames(issue.path))
  const place = path ? ` under ${path}` : ''
  return `has an unknown key ${name}${place}${nearest ? `; did you mean ${nearest}?` : ''}`
}

/** Names that may stand where a path leads. */
function knownNames(path: readonly PropertyKey[]): readonly string[] {
  let at: unknown = schema
  for (const step of path) at = memberOf(at, step)
  const inner = unwrap(at)
  return inner instanceof z.ZodObject ? Object.keys(inner.shape) : []
}

function memberOf(type: unknown, step: PropertyKey): unknown {
  const inner = unwrap(type)
  if (inner instanceof z.ZodObject) return inner.shape[step as string]
  return inner instanceof z.ZodRecord ? inner.valueType : undefined
}

function unwrap(type: unknown): unknown {
  let inner = type
  while (
    inner instanceof z.ZodPrefault ||
    inner instanceof z.ZodOptional ||
    inner instanceof z.ZodExactOptional ||
    inner instanceof z.ZodDefault
  ) {
    inner = inner.unwrap()
  }
  return inner
}

const administratorKey = z.object({
  accessKeyId: z.string().regex(/^[A-Za-z0-9_]{3,128}$/, 'is not 3 to 128 letters and digits'),
  secretAccessKey: z.string().min(8, 'has fewer than 8 characters').max(128, 'has more than 128 characters'),
})

/** Environment variables that give the administrator its access key at the first run. */
export const administratorVariables = ['STRONGROOM_ADMIN_ACCESS_KEY_ID', 'STRONGROOM_ADMIN_SECRET_ACCESS_KEY'] as const

/** The access key that the environment gives to the administrator, if it does. Throws OperatorError. */
export function administratorKeyFromEnvironment(): z.infer<typeof administratorKey> | undefined {
  const [idName, secretName] = administratorVariables
  const { [idName]: accessKeyId, [secretName]: secretAccessKey } = process.env
  if (!accessKeyId && !secretAccessKey) return undefined
  const { success, data, error } = administratorKey.safeParse({ accessKeyId, secretAccessKey })
  if (success) return data
  const issue = error.issues[0]!
  const name = issue.path[0] === 'accessKeyId' ? idName : secretName
  throw new OperatorError(
    `the environment variable ${name} ${issue.code === 'invalid_type' ? 'is missing' : issue.message}`,
  )
}
