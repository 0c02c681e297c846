import { existsSync } from 'node:fs'
import type { ApiRequest, ApiResponse } from './apis/api.ts'
import { administration, apis, uidHeader } from './apis/catalogue.ts'
import { authentication, webIdentities } from './assemble/authentication.ts'
import { startEmulator } from './assemble/emulator.ts'
import { type Audit, createAudit } from './audit/audit.ts'
import { openJournal } from './audit/journal.ts'
import { AccessKeyUses } from './authentication/access-key-uses.ts'
import { decide } from './authorization/decide.ts'
import { explain } from './authorization/explain.ts'
import { checkKeyPolicy } from './authorization/key-policy.ts'
import type { Config, HsmConfig, MemberConfig } from './config.ts'
import { OperatorError } from './errors.ts'
import type { HsmCall } from './hsm/hsm.ts'
import { profileOf } from './hsm/profiles/find-profile.ts'
import { workerCount } from './hsm/profiles/worker-count.ts'
import { type HsmOptions, HsmRegistry } from './hsm/registry.ts'
import { jobs } from './jobs/catalogue.ts'
import { scheduleJobs } from './jobs/schedule.ts'
import { SteadyClock } from './jobs/steady-clock.ts'
import { createLog } from './log.ts'
import { createMetrics } from './metrics.ts'
import { operator } from './model/identities/caller.ts'
import { Outbox } from './outbox.ts'
import { handle } from './pipeline.ts'
import { createReadiness } from './readiness.ts'
import { connectionsWithin } from './server/descriptors.ts'
import { serveApi, serveMetrics, serveOnSocket } from './server/server.ts'
import type { Hsms, Log, PathServices, Storage } from './services.ts'
import { openStorage } from './storage/sql-storage.ts'
import { openInThread } from './storage/threaded-database.ts'
import { sealAuthorizationMessage } from './vault/authorization-messages.ts'
import { emptyAccount } from './vault/empty-account.ts'
import type { Vault } from './vault/sealed-tokens.ts'
import { missingSystemKeys } from './vault/system-keys.ts'

export interface Gateway {
  /** Of the AWS KMS API. */
  readonly url: string
  readonly metricsUrl: string
  /** Reads the TLS files again. */
  reload(): void
  /** Finishes requests in flight, then closes everything in reverse order. */
  close(): Promise<void>
}

export const clock = () => Date.now()
/** Monotonic, of this process. Stops while the machine is suspended. */
const elapsed = () => performance.now()

/**
 * Starts a gateway. If a part cannot start, closes what was opened and rejects with OperatorError.
 *
 * @param locked called before the HSMs are connected, once no other process can have opened storage
 */
export async function startGateway(config: Config, locked = () => {}): Promise<Gateway> {
  const opened = new AsyncDisposableStack()
  try {
    const log = createLog(config.log.level, () => metrics.logLineDropped())
    const metrics = createMetrics(() => hsms.all)
    const storage = await openDatabase(config, opened)
    requireSystemKeys(config, storage)
    locked()
    const hsms = await connectHsms(config, storage, opened, { observe: call => metrics.hsmCall(call), log })
    const { audit, outbox } = await openAudit(config, storage, opened, log)
    const accessKeyUses = new AccessKeyUses(uses => storage.accessKeys.writeUses(uses))
    const authenticate = authentication(config, { storage, hsms, clock, accessKeyUses })
    const readiness = createReadiness({ storage, audit, hsms }, elapsed)
    const services = {
      storage,
      hsms,
      clock,
      ...policing(config, storage),
      emulator: config.emulator,
      audit,
      outbox,
      authenticate,
      webIdentity: webIdentities(config, { storage, clock, log }),
      encodeRefusal: config.authorization.encodedMessages ? refusalEncoder({ storage, hsms }, log) : undefined,
      metrics,
      log,
    }
    if (config.emulator) await startEmulator(config.emulator, services)
    const watched = { ...services, accessKeyUses, elapsed, health: readiness }
    const steadyClock = new SteadyClock(watched, config.deletion.stableClockPeriod)
    opened.adopt(scheduleJobs(jobs, { ...watched, steadyClock }), schedule => schedule.close())
    const limits = { ...config.listen, maxConnections: connectionsOf(config, log) }
    const emulator = config.emulator && {
      ...config.emulator,
      emptyAccount: (account: string) => emptyAccount(account, services),
    }
    const probe = () => readiness.probe()
    const server = opened.adopt(await serveApi({ ...limits, emulator }, apis, services, probe, metrics), server =>
      server.close(),
    )
    opened.adopt(
      await serveOnSocket(config.administration.socket, administration, administrationOf(services, accessKeyUses)),
      socket => socket.close(),
    )
    const metricsListen = { host: config.metrics.host, port: config.metrics.port ?? nextPort(config.listen.port) }
    const metricsServer = opened.adopt(await serveMetrics(metricsListen, () => metrics.text(), log), server =>
      server.close(),
    )
    const urls = { url: server.url, metricsUrl: metricsServer.url }
    log.info({ event: 'gateway_started', ...urls }, 'Gateway started')
    const close = async () => {
      log.info({ event: 'gateway_stopping' }, 'Gateway stopping')
      await opened.disposeAsync()
      log.info({ event: 'gateway_stopped' }, 'Gateway stopped')
    }
    return { ...urls, reload: () => server.reload(), close }
  } catch (error) {
    await opened.disposeAsync()
    throw error
  }
}

/** What decides by policies. */
function policing(
  { emulator }: Config,
  { principals }: Storage,
): Pick<PathServices, 'checkKeyPolicy' | 'authorize' | 'explain'> {
  if (emulator?.enforce ?? true) {
    return { checkKeyPolicy: policy => checkKeyPolicy(policy, principals), authorize: decide, explain }
  }
  return {
    // None can lock its caller out.
    checkKeyPolicy: policy => checkKeyPolicy({ ...policy, bypassLockoutSafetyCheck: true }, principals),
    authorize: () => ({ allowed: true, outcome: 'Allow' }),
    explain,
  }
}

/** The same services for a listener whose callers are all operators. */
function administrationOf(services: PathServices, accessKeyUses?: AccessKeyUses): PathServices {
  return {
    ...services,
    async authenticate({ headers }) {
      // So that the operator sees them. The job logs failures.
      await accessKeyUses?.flush().catch(() => {})
      return operator(uidOf(headers))
    },
  }
}

/**
 * Answers requests of the administration API in this process, while no gateway runs. Throws OperatorError if one does, or the HSMs cannot be
 * reached.
 */
export async function openAdministration(
  config: Config,
  opened: AsyncDisposableStack,
): Promise<(request: ApiRequest) => Promise<ApiResponse>> {
  const log = createLog('error', () => {})
  const storage = await openDatabase(config, opened)
  requireSystemKeys(config, storage)
  const hsms = await connectHsms(config, storage, opened)
  const services = administrationOf({
    storage,
    hsms,
    clock,
    ...policing(config, storage),
    emulator: config.emulator,
    ...(await openAudit(config, storage, opened, log)),
    authenticate: async () => undefined,
    webIdentity: webIdentities(config, { storage, clock, log }),
    metrics: { started: () => () => {} },
    log,
  })
  return request => handle(request, administration, services)
}

/** As the client says. */
function uidOf({ [uidHeader]: uid }: ApiRequest['headers']): number | undefined {
  return typeof uid === 'string' && /^\d{1,10}$/.test(uid) ? Number(uid) : undefined
}

/** A refusal is answered, encoded or not. */
function refusalEncoder(vault: Vault, log: Log): PathServices['encodeRefusal'] {
  return async (refusal, caller) => {
    try {
      const encoded = await sealAuthorizationMessage(refusal, caller, vault)
      return encoded === undefined ? refusal : refusal.withEncodedMessage(encoded)
    } catch (err) {
      log.warn({ event: 'encode_refusal_failed', err }, 'Cannot encode authorization failure message')
      return refusal
    }
  }
}

/** File descriptors of the process, storage, journal and metrics; and per worker, including while it is replaced. */
const descriptors = { own: 96, perWorker: 8 }

function connectionsOf({ listen, hsms }: Config, log: Log): number {
  const workers = Object.values(hsms).map(({ workers, profile, members = { only: {} } }) => {
    return workerCount(workers, profileOf(profile)) * Object.keys(members).length
  })
  const reserve = descriptors.own + descriptors.perWorker * workers.reduce((sum, count) => sum + count, 0)
  const maxConnections = connectionsWithin(listen.maxConnections, reserve)
  if (maxConnections < listen.maxConnections)
    log.warn(
      { event: 'connections_limited', maxConnections, reserve },
      'Fewer connections than maxConnections: raise the limit of open files',
    )
  return maxConnections
}

export interface Backends {
  readonly hsms: Hsms
  readonly storage: Storage
}

/** @param create whether storage may be missing yet */
export async function openDatabase(
  config: Config,
  opened: AsyncDisposableStack,
  { create = false } = {},
): Promise<Storage> {
  const database = await openInThread({ path: config.storage.file, create })
  const acceptsUnknown = config.emulator !== undefined
  return opened.adopt(await openStorage(database, { acceptsUnknown }), storage => storage.close())
}

/** Connects to every HSM. */
export async function connectHsms(
  config: Config,
  storage: Storage,
  opened: AsyncDisposableStack,
  { observe, log }: { observe?: (call: HsmCall) => void; log?: Log | undefined } = {},
): Promise<Hsms> {
  const registry = opened.adopt(new HsmRegistry(config.regions), registry => registry.close())
  const connecting = Object.entries(config.hsms).map(([name, hsm]) => {
    const canary = () => {
      const { id, checkValue } = storage.systemKeys.find(name, 'canary')?.material ?? {}
      return id === undefined ? undefined : { material: id, checkValue }
    }
    return registry.connect({ ...hsmOptions(name, hsm), canary, observe, log })
  })
  const connected = await Promise.allSettled(connecting)
  const failed = connected.find(({ status }) => status === 'rejected')
  if (failed) throw (failed as PromiseRejectedResult).reason
  return registry
}

export interface Recording {
  readonly audit: Audit
  readonly outbox: Outbox
}

/** Opens the audit journal, and writes records that storage still keeps for it. */
export async function openAudit(
  { audit: { file } }: Config,
  storage: Storage,
  opened: AsyncDisposableStack,
  log?: Log,
): Promise<Recording> {
  const held = await storage.outbox.list()
  if (!existsSync(file)) log?.warn({ event: 'audit_file_created', file }, 'No audit file found: created a new one')
  const journal = opened.adopt(await openJournal(file, { awaited: held.length > 0 }), journal => journal.close())
  const outbox = opened.adopt(await Outbox.open(storage, journal, held, log), outbox =>
    outbox
      .settle()
      .catch((error: unknown) => log?.error({ event: 'audit_write_failed', err: error }, 'Cannot write audit records')),
  )
  return { audit: createAudit(journal, clock, apis[0].eventSource), outbox }
}

/** Throws OperatorError if storage lacks a key that `init` creates: it is not the storage of these HSMs. */
function requireSystemKeys({ storage: { file }, hsms }: Config, storage: Storage): void {
  for (const hsm of Object.keys(hsms)) {
    const [missing] = missingSystemKeys(hsm, storage)
    if (missing === undefined) continue
    throw new OperatorError(
      `storage ${file} has no ${missing} key for the HSM ${hsm}: if that HSM is new, run strongroom init`,
    )
  }
}

export function hsmOptions(name: string, { members, ...hsm }: HsmConfig): HsmOptions {
  const own = members && Object.entries(members).map(([member, options]) => [member, addressed(options)] as const)
  return { name, ...addressed(hsm), members: own && Object.fromEntries(own) }
}

function addressed<T extends Pick<MemberConfig, 'token'>>({ token, ...options }: T) {
  return { ...options, ...(token && { tokenLabel: token.label, tokenSerial: token.serial }) }
}

/** 0, any free port, if there is no next one. */
function nextPort(port: number): number {
  return port === 0 || port === 65535 ? 0 : port + 1
}
