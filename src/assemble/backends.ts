/** Storage and HSMs, as a gateway and the commands open them. */
import { transfersFrom } from '../config/multi-region.ts'
import { processCount } from '../config/processes.ts'
import { auditHsmOf, type Config, type HsmConfig, type MemberConfig, regionalHsms } from '../config.ts'
import { OperatorError } from '../errors.ts'
import { connectionErrorCode } from '../hsm/connection-error.ts'
import type { HsmCall } from '../hsm/hsm.ts'
import { profileOf } from '../hsm/profiles/find-profile.ts'
import { type HsmOptions, HsmRegistry } from '../hsm/registry.ts'
import { ConnectionFailure } from '../model/keys/custom-key-store.ts'
import type { Hsms, KeyStores, Log, Storage } from '../services.ts'
import type { SqlDatabase } from '../storage/sql-database.ts'
import { openStorage } from '../storage/sql-storage.ts'
import { hasAuditKeyOn } from '../vault/audit-key.ts'
import { missingSystemKeys } from '../vault/system-keys.ts'
import { type Clocks, FleetReport, isShared, joinFleet } from './fleet.ts'
import { openSqlDatabase, storageName } from './storage.ts'

/** The wall clock of the machine, in milliseconds since the epoch. */
export const clock = () => Date.now()

export interface Backends {
  readonly hsms: Hsms
  readonly storage: Storage
}

interface Opening {
  /** Whether storage may be missing yet. */
  readonly create?: boolean
  readonly time?: Clocks
  /** If it is open already. */
  readonly database?: SqlDatabase | undefined
  /** Whether it is that of the supervisor, for one of several processes. */
  readonly isSupervised?: boolean
  readonly report?: FleetReport
}

export async function openDatabase(
  config: Config,
  opened: AsyncDisposableStack,
  {
    create = false,
    time = { clock, elapsed: () => performance.now() },
    database,
    isSupervised = false,
    report = new FleetReport(),
  }: Opening = {},
): Promise<Storage> {
  const fleet = isShared(config, isSupervised) ? joinFleet(config, opened, time, report) : undefined
  database ??= await openSqlDatabase(config.storage, create, report.reached)
  const acceptsUnknown = config.emulator !== undefined
  return opened.adopt(
    await openStorage(database, {
      now: time.clock(),
      gateway: config.gateway,
      acceptsUnknown,
      ...(fleet && { fleet, onReload: report.reloaded }),
    }),
    storage => storage.close(),
  )
}

interface Watching {
  readonly observe?: (call: HsmCall) => void
  readonly log?: Log | undefined
}

/** Where the canary keys of HSMs are on record. */
interface Canaries {
  readonly systemKeys: Pick<Storage['systemKeys'], 'find'>
}

/** Connects to every HSM but those of custom key stores. */
export async function connectHsms(
  config: Config,
  storage: Canaries,
  opened: AsyncDisposableStack,
  watching: Watching = {},
): Promise<HsmRegistry> {
  const ofKeyStores = Object.keys(config.hsms).filter(name => config.hsms[name]!.clusterId !== undefined)
  const registry = opened.adopt(new HsmRegistry(config.regions, new Set(ofKeyStores)), registry => registry.close())
  const connecting = Object.entries(regionalHsms(config)).map(([name, hsm]) => {
    const transfersTo = transfersFrom(name, config.multiRegion.transfers)
    return registry.connect({
      ...hsmOptions(name, hsm, config),
      transfersTo,
      canary: canaryOf(name, storage),
      ...watching,
    })
  })
  const connected = await Promise.allSettled(connecting)
  const failed = connected.find(({ status }) => status === 'rejected')
  if (failed) throw (failed as PromiseRejectedResult).reason
  return registry
}

function canaryOf(hsm: string, { systemKeys }: Canaries): NonNullable<HsmOptions['canary']> {
  return () => {
    const canary = systemKeys.find(hsm, 'canary')?.material.object
    return canary && { object: canary.id, checkValue: canary.checkValue }
  }
}

/** The HSMs of custom key stores. */
export function keyStoresOf(config: Config, registry: HsmRegistry, storage: Storage, watching: Watching): KeyStores {
  const { allKeySpecs, passwords } = config.customKeyStores
  const names = new Map(Object.entries(config.hsms).map(([name, { clusterId }]) => [clusterId, name]))
  const failure = (thrown: unknown) => {
    if (thrown instanceof ConnectionFailure) return thrown
    return new ConnectionFailure(connectionErrorCode(thrown), 'the HSM cannot be used', { cause: thrown })
  }
  return {
    allKeySpecs,
    passwords: passwords === 'memory' ? new Map() : undefined,
    hsmOf: clusterId => names.get(clusterId),
    connect: (name, password, signal) => {
      const hsm = config.hsms[name]!
      const pin = async () => pinOf(await password(), profileOf(hsm.profile).keyStoreUser)
      const options = { ...hsmOptions(name, hsm, config), canary: canaryOf(name, storage), pin, ...watching }
      return registry.connect(options, signal).catch(thrown => Promise.reject(failure(thrown)))
    },
    disconnect: name => registry.disconnect(name),
    failure,
  }
}

/** @param password wiped if it is not the PIN itself */
function pinOf(password: Uint8Array, user: string | undefined): Uint8Array {
  if (user === undefined) return password
  const pin = Buffer.concat([Buffer.from(`${user}:`), password])
  password.fill(0)
  return pin
}

/** Throws OperatorError if storage lacks a key that `init` creates: it is not the storage of these HSMs. */
export function requireSystemKeys(config: Config, storage: Storage): void {
  const name = storageName(config.storage)
  for (const hsm of Object.keys(regionalHsms(config))) {
    const [missing] = missingSystemKeys(hsm, storage)
    if (missing === undefined) continue
    throw new OperatorError(
      `storage ${name} has no ${missing} key for the HSM ${hsm}: if that HSM is new, run strongroom init`,
    )
  }
  if (!hasAuditKeyOn(auditHsmOf(config), Object.keys(regionalHsms(config)), storage))
    throw new OperatorError(
      `storage ${name} has no audit key on the HSM ${auditHsmOf(config)}: run strongroom init, which creates it`,
    )
}

/** @param config of the gateway. Absent: nobody else uses the token */
export function hsmOptions(name: string, { members, clusterId, ...hsm }: HsmConfig, config?: Config): HsmOptions {
  const own = members && Object.entries(members).map(([member, options]) => [member, addressed(options)] as const)
  const isOfKeyStore = clusterId !== undefined
  const gateways = gatewaysAt(config)
  return {
    name,
    gateways,
    // By processes of this machine, or by those of other machines with the same database.
    isShared: gateways > 1 || config?.storage.postgres !== undefined,
    ...addressed(hsm),
    members: own && Object.fromEntries(own),
    isOfKeyStore,
  }
}

/** How many gateway processes may have a token open at the same time: one more than usual while they are replaced. */
function gatewaysAt(config: Config | undefined): number {
  const count = config === undefined ? 1 : processCount(config)
  return count === 1 ? 1 : count + 1
}

function addressed<T extends Pick<MemberConfig, 'token'>>({ token, ...options }: T) {
  return { ...options, ...(token && { tokenLabel: token.label, tokenSerial: token.serial }) }
}
