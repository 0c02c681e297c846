import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname, resolve } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { auditSettings } from './config/audit.ts'
import { auditSink, isCopiedTo, secretVariablesOf, withAbsoluteSinkFiles } from './config/audit-sinks.ts'
import { customKeyStores, withAbsoluteProxyFiles } from './config/custom-key-stores.ts'
import { checkExposure, type EmulatorOverrides, emulator, withEmulator } from './config/emulator.ts'
import { gateway, gatewayName } from './config/gateway.ts'
import { countOrAuto, type HsmConfig, hsm, hsmName, mapValues, withAbsoluteHsmFiles, withPins } from './config/hsms.ts'
import { knownKeys } from './config/known-keys.ts'
import { mistakeInTransfers, multiRegion } from './config/multi-region.ts'
import { prices } from './config/prices.ts'
import { firstRegion, region } from './config/region.ts'
import { passwordOf, storage, withAbsoluteStorageFiles } from './config/storage.ts'
import { checkXks, withAbsoluteXksFiles, xks } from './config/xks.ts'
import { OperatorError } from './errors.ts'
import { partitions } from './model/partitions.ts'
import { duration, size } from './quantities.ts'
import { describeIssue } from './schema-issue.ts'

/** The configuration: read once, validated, frozen. docs/configuration.yaml explains every key. */

const port = z.int().min(0).max(65535)

/** Exported for the test that docs/configuration.yaml leaves nothing out. */
export const schema = z.strictObject({
  gateway: gateway.default(() => gatewayName(hostname())),
  processes: countOrAuto.default(1),
  listen: z
    .strictObject({
      host: z.string().default('127.0.0.1'),
      port: port.default(7700),
      maxBodySize: size('1KiB').prefault('192KiB'),
      maxBodyMemory: size('1MiB').prefault('32MiB'),
      maxConnections: z.int().min(1).default(1024),
      cors: z.boolean().default(true),
      tls: z.strictObject({ certificateFile: z.string(), keyFile: z.string() }).optional(),
    })
    .refine(({ maxBodySize, maxBodyMemory }) => maxBodySize <= maxBodyMemory, 'maxBodySize exceeds maxBodyMemory')
    .prefault({}),
  /** Absent: no XKS proxy is served. */
  xks: xks.optional(),
  metrics: z.strictObject({ host: z.string().default('127.0.0.1'), port: port.optional() }).prefault({}),
  storage,
  audit: z
    .strictObject({ ...auditSettings, sinks: z.record(hsmName, auditSink).default({}) })
    .refine(({ file, sinks }) => !isCopiedTo(file, sinks), 'a sink of type file needs another file than the journal'),
  administration: z.strictObject({ socket: z.string().default('strongroom.sock') }).prefault({}),
  deletion: z.strictObject({ stableClockPeriod: duration('1m', '30d').prefault('24h') }).prefault({}),
  rotation: z
    .strictObject({
      maxOnDemandRotations: z.int().min(0).default(25),
      timeShare: z.number().min(0.0001).max(1).default(0.0025),
    })
    .prefault({}),
  authentication: z
    .strictObject({ maxClockSkew: duration('1s', '24h').prefault('5m'), services: z.boolean().default(false) })
    .prefault({}),
  customKeyStores: customKeyStores.prefault({}),
  authorization: z.strictObject({ encodedMessages: z.boolean().default(false) }).prefault({}),
  /** Absent: off. */
  emulator: emulator.optional(),
  hsms: z.record(hsmName, hsm),
  multiRegion: multiRegion.prefault({}),
  regions: z.record(region, z.string()).exactOptional(),
  prices,
  log: z.strictObject({ level: z.enum(['fatal', 'error', 'warn', 'info', 'debug']).default('info') }).prefault({}),
})

type Written = z.infer<typeof schema>
export interface Config extends Omit<Written, 'regions'> {
  /** The name of the HSM of each region; never empty. */
  readonly regions: Readonly<Record<string, string>>
  /** Audit files of the other gateway processes of this machine. */
  readonly otherJournals?: readonly string[]
}
export type { HsmConfig, MemberConfig } from './config/hsms.ts'

/** Command-line options that override the file. */
export interface Overrides extends EmulatorOverrides {
  readonly host?: string | undefined
  readonly port?: number | undefined
}

/** Reads a configuration file; paths in it are relative to its folder. Throws OperatorError of one line. */
export function readConfig(file: string, overrides: Overrides = {}): Config {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT') throw new OperatorError(`configuration ${file} cannot be read: ${code}`, { cause: error })
    throw new OperatorError(`no configuration ${file}: run strongroom init, or name another with --data or --config`)
  }
  const config = withListen(parseConfig(text, file, overrides), overrides)
  checkExposure(config.emulator, config.listen.host)
  if (config.xks) checkXks(config.xks)
  for (const sink of Object.values(config.audit.sinks)) secretVariablesOf(sink)
  if (config.storage.postgres) passwordOf(config.storage.postgres)
  return freeze({ ...config, hsms: mapValues(config.hsms, withPins) })
}

/** Validates the text of a configuration. `file` is its name in messages, and the base of relative paths. */
export function parseConfig(text: string, file: string, overrides: Overrides = {}): Config {
  let written: unknown
  try {
    written = parse(text)
  } catch (error) {
    const reason = (error as Error).message.split('\n')[0]!.replace(/:$/, '')
    throw new OperatorError(`configuration ${file}: not valid YAML: ${reason}`, { cause: error })
  }
  const { success, data, error } = schema.safeParse(written)
  if (!success)
    throw new OperatorError(
      `configuration ${file}: ${describeIssue(error.issues[0]!, path => knownKeys(schema, path, written))}`,
    )
  const settings = { ...data, emulator: withEmulator(data.emulator, overrides) }
  const regions = settings.regions ?? defaultRegions(settings, file)
  const named = Object.entries(regions).map(([name, hsm]) => [`region ${name}`, hsm] as const)
  const { hsm: auditHsm } = settings.audit.checkpoints
  for (const [place, hsm] of auditHsm === undefined
    ? named
    : [...named, ['audit.checkpoints.hsm', auditHsm] as const]) {
    if (!Object.hasOwn(settings.hsms, hsm))
      throw new OperatorError(`configuration ${file}: ${place}: HSM ${hsm} is not defined under hsms`)
    if (settings.hsms[hsm]!.clusterId !== undefined)
      throw new OperatorError(
        `configuration ${file}: ${place}: HSM ${hsm} has a clusterId: it is one of a custom key store`,
      )
  }
  checkClusters(settings, file)
  const isOfFleet = settings.processes !== 1 || settings.storage.postgres !== undefined
  if (isOfFleet && settings.customKeyStores.passwords === 'memory')
    throw new OperatorError(
      `configuration ${file}: customKeyStores.passwords: memory is that of one process: set sealed, or processes: 1 and storage.file`,
    )
  const mistake = mistakeInTransfers(settings.multiRegion.transfers, settings.hsms)
  if (mistake !== undefined) throw new OperatorError(`configuration ${file}: multiRegion.transfers: ${mistake}`)
  const seedRegion = settings.emulator?.seed?.region
  if (seedRegion !== undefined && !Object.hasOwn(regions, seedRegion))
    throw new OperatorError(`configuration ${file}: emulator.seed.region: ${seedRegion} is not under regions`)
  if (Object.keys(regions).length === 0)
    throw new OperatorError(`configuration ${file}: no regions: add at least one under regions`)
  return withAbsolutePaths({ ...settings, regions }, dirname(resolve(file)))
}

/** The HSMs that a gateway needs, by name: those of custom key stores are connected by ConnectCustomKeyStore. */
export function regionalHsms({ hsms }: Pick<Config, 'hsms'>): Readonly<Record<string, HsmConfig>> {
  return Object.fromEntries(Object.entries(hsms).filter(([, { clusterId }]) => clusterId === undefined))
}

function checkClusters({ hsms }: Written, file: string): void {
  const ids = Object.values(hsms).flatMap(({ clusterId }) => clusterId ?? [])
  const twice = ids.find((id, index) => ids.indexOf(id) !== index)
  if (twice !== undefined) throw new OperatorError(`configuration ${file}: several HSMs have the clusterId ${twice}`)
}

/** The name of the HSM whose key signs the audit journal. */
export function auditHsmOf({ audit, hsms }: Pick<Config, 'audit' | 'hsms'>): string {
  return audit.checkpoints.hsm ?? Object.keys(regionalHsms({ hsms }))[0]!
}

/** Every commercial region of AWS, in emulator mode every region, for the only HSM. */
function defaultRegions({ hsms, emulator }: Written, file: string): Config['regions'] {
  const [hsm, ...others] = Object.keys(regionalHsms({ hsms }))
  if (hsm === undefined || others.length > 0) {
    const what = hsm === undefined ? 'no HSM: add one under hsms' : 'several HSMs: add regions, each with its HSM'
    throw new OperatorError(`configuration ${file}: ${what}`)
  }
  const served = emulator === undefined ? partitions.filter(({ id }) => id === 'aws') : partitions
  const names = served.flatMap(({ regions }) => regions.filter(name => !name.endsWith('-global')))
  return Object.fromEntries([firstRegion, ...names].map(name => [name, hsm]))
}

function withAbsolutePaths(config: Config, folder: string): Config {
  const absolute = (path: string) => resolve(folder, path)
  const { tls } = config.listen
  const seed = config.emulator?.seed
  return {
    ...config,
    ...(seed && { emulator: { ...config.emulator!, seed: { ...seed, file: absolute(seed.file) } } }),
    listen: {
      ...config.listen,
      ...(tls && { tls: { certificateFile: absolute(tls.certificateFile), keyFile: absolute(tls.keyFile) } }),
    },
    xks: config.xks && withAbsoluteXksFiles(config.xks, absolute),
    storage: withAbsoluteStorageFiles(config.storage, absolute),
    audit: {
      ...config.audit,
      file: absolute(config.audit.file),
      sinks: mapValues(config.audit.sinks, sink => withAbsoluteSinkFiles(sink, absolute)),
    },
    administration: { socket: absolute(config.administration.socket) },
    customKeyStores: withAbsoluteProxyFiles(config.customKeyStores, absolute),
    hsms: mapValues(config.hsms, hsm => withAbsoluteHsmFiles(hsm, absolute)),
  }
}

function withListen(config: Config, { host, port }: Overrides): Config {
  const { listen } = config
  return { ...config, listen: { ...listen, host: host ?? listen.host, port: port ?? listen.port } }
}

function freeze<T extends object>(value: T): T {
  for (const member of Object.values(value)) if (typeof member === 'object' && member !== null) freeze(member)
  return Object.freeze(value)
}
