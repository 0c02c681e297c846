import { administration, apis } from './apis/catalogue.ts'
import { administrationOf } from './assemble/administration.ts'
import { sinkRecorder } from './assemble/audit-sinks.ts'
import { authentication, webIdentities } from './assemble/authentication.ts'
import { clock, connectHsms, keyStoresOf, openDatabase, requireSystemKeys } from './assemble/backends.ts'
import { connectionsOf } from './assemble/connections.ts'
import { startEmulator } from './assemble/emulator.ts'
import { eventsOf, meteringOf } from './assemble/events.ts'
import { externalKeyStores } from './assemble/external-key-stores.ts'
import { FleetReport } from './assemble/fleet.ts'
import { openWhenFree } from './assemble/in-use.ts'
import { policing } from './assemble/policing.ts'
import { openAudit } from './assemble/recording.ts'
import { recordRun } from './assemble/runs.ts'
import { startXks } from './assemble/xks.ts'
import { Sinks } from './audit/sinks/sinks.ts'
import { secretVariablesOf } from './config/audit-sinks.ts'
import { metricsAddress } from './config/metrics.ts'
import type { Config } from './config.ts'
import type { HsmCall } from './hsm/hsm.ts'
import { jobs } from './jobs/catalogue.ts'
import { JobLease } from './jobs/job-lease.ts'
import { type Repeat, repeat, scheduleJobs } from './jobs/schedule.ts'
import { SteadyClock } from './jobs/steady-clock.ts'
import { createLog } from './log.ts'
import { createMetrics } from './metrics.ts'
import { createReadiness } from './readiness.ts'
import { serveMetrics } from './server/metrics.ts'
import { serveApi, serveOnSocket } from './server/server.ts'
import type { Log, PathServices } from './services.ts'
import type { SqlDatabase } from './storage/sql-database.ts'
import { sealAuthorizationMessage } from './vault/authorization-messages.ts'
import { emptyAccount } from './vault/empty-account.ts'
import { KeyStoreConnections } from './vault/key-store-connections.ts'
import type { Vault } from './vault/sealed-tokens.ts'
import { serviceKeysWith } from './vault/service-keys.ts'

export interface Gateway {
  /** Of the AWS KMS API. */
  readonly url: string
  /** Undefined for one of several processes. */
  readonly metricsUrl?: string
  /** Of the XKS proxy, if it is served. */
  readonly xksUrl?: string
  /** Prometheus text exposition format. */
  metrics(): Promise<string>
  /** Reads the TLS files again. */
  reload(): void
  /**
   * Finishes requests in flight, then closes everything in reverse order.
   *
   * @param why for its audit record, such as a signal
   * @param isReplaced another process has taken over: requests that still arrive here are answered
   */
  close(why?: string, isReplaced?: boolean): Promise<void>
}

/** The time, and what is done as it passes. Deadlines of connections and HSM calls do not depend on it. */
export interface Time {
  /** Milliseconds since the epoch, from the wall clock. */
  readonly clock: () => number
  /** Milliseconds, monotonic. */
  readonly elapsed: () => number
  readonly repeat: Repeat
}

/** The monotonic clock is of this process, and stops while the machine is suspended. */
const machineTime: Time = { clock, elapsed: () => performance.now(), repeat }

/** One of several processes, which a supervisor started. */
export interface Supervised {
  /** That of the supervisor, if the engine is embedded. */
  readonly database: SqlDatabase | undefined
}

/**
 * Starts a gateway. If a part cannot start, closes what was opened and rejects with OperatorError.
 *
 * @param locked called before the HSMs are connected, once no other process can have opened storage
 */
export async function startGateway(
  config: Config,
  locked = () => {},
  { clock, elapsed, repeat }: Time = machineTime,
  supervised?: Supervised,
): Promise<Gateway> {
  const opened = new AsyncDisposableStack()
  let isReplaced = false
  try {
    const log = createLog(config.log.level, () => metrics.logLineDropped(), config.gateway)
    const metrics = createMetrics(
      () => hsms.all,
      () => sinks.all,
      () => proxies.states,
      supervised && { gateway: config.gateway },
    )
    const report = new FleetReport({ log, metrics })
    const shared = {
      time: { clock, elapsed },
      database: supervised?.database,
      isSupervised: supervised?.database !== undefined,
      report,
    }
    const storage = await openWhenFree(config.administration.socket, () => openDatabase(config, opened, shared))
    const jobLease = new JobLease({ jobLease: storage.jobLease, log })
    if (!storage.fleet.isAlone) metrics.watchFleet(storage.fleet, jobLease)
    requireSystemKeys(config, storage)
    locked()
    const watching = { observe: (call: HsmCall) => metrics.hsmCall(call), log }
    const hsms = await connectHsms(config, storage, opened, watching)
    report.hsms = () => hsms.all
    const keyStores = keyStoresOf(config, hsms, storage, watching)
    // The last records are written while the rest is closed.
    const sinks = opened.adopt(new Sinks({ ...config.audit, secretsOf: secretVariablesOf, clock, log }), sinks =>
      sinks.close(),
    )
    const opening = openAudit(config, { storage, hsms }, opened, { clock, elapsed, log, metrics })
    const { journal, audit, outbox, checkpoints } = await opening
    report.notes = outbox.notes
    sinks.follow(journal, sinkRecorder({ audit, outbox, log }))
    const events = eventsOf(config, opened, { journal, log, metrics })
    const run = opened.use(await recordRun(config, { journal, storage, audit, outbox, log }))
    const proxies = opened.adopt(externalKeyStores(config, { storage, hsms, clock, elapsed, metrics, log }), proxies =>
      proxies.close(),
    )
    const authenticate = authentication(config, { storage, hsms, clock, log })
    const readiness = createReadiness({ storage, audit, hsms }, elapsed)
    const services = {
      storage,
      hsms,
      keyStores,
      clock,
      ...policing(config, storage),
      maxOnDemandRotations: config.rotation.maxOnDemandRotations,
      emulator: config.emulator,
      serviceKeys:
        config.emulator || config.authentication.services
          ? serviceKeysWith({ storage, clock, hsms, audit, outbox, emulator: config.emulator })
          : undefined,
      audit,
      outbox,
      events,
      externalKeyStores: proxies,
      metering: meteringOf(config, events),
      authenticate,
      webIdentity: webIdentities(config, { storage, clock, log }),
      encodeRefusal: config.authorization.encodedMessages ? refusalEncoder({ storage, hsms }, log) : undefined,
      metrics,
      log,
    }
    if (config.emulator) await startEmulator(config.emulator, services)
    const { connectTimeout } = config.customKeyStores
    const keyStoreConnections = opened.adopt(
      new KeyStoreConnections({ ...services, jobLease, connectTimeout }),
      connections => connections.close(),
    )
    const watched = {
      ...services,
      keyStoreConnections,
      checkpoints,
      rotationTimeShare: config.rotation.timeShare,
      elapsed,
      health: readiness,
    }
    const steadyClock = new SteadyClock({ ...watched, jobLease }, config.deletion.stableClockPeriod)
    opened.adopt(scheduleJobs(jobs, { ...watched, jobLease, steadyClock }, repeat), schedule => schedule.close())
    const maxConnections = connectionsOf(config, log)
    const limits = { ...config.listen, maxConnections: maxConnections.listen }
    const emulator = config.emulator && {
      ...config.emulator,
      emptyAccount: async (account: string) => {
        const count = await emptyAccount(account, services)
        await storage.fleet.settled()
        return count
      },
    }
    const probe = () => readiness.probe()
    const server = opened.adopt(await serveApi({ ...limits, emulator }, apis, services, probe, metrics), server =>
      server.close(isReplaced),
    )
    opened.adopt(
      await serveOnSocket(config.administration.socket, administration, administrationOf(services)),
      socket => socket.close(isReplaced),
    )
    // Of several processes, the supervisor serves the metrics.
    const metricsServer =
      supervised === undefined
        ? opened.adopt(await serveMetrics(metricsAddress(config), () => metrics.text(), log), server => server.close())
        : undefined
    const xksServer =
      config.xks &&
      opened.adopt(await startXks(config.xks, maxConnections.xks!, services, probe, metrics), listener =>
        listener.close(isReplaced),
      )
    const urls = {
      url: server.url,
      ...(metricsServer && { metricsUrl: metricsServer.url }),
      ...(xksServer && { xksUrl: xksServer.url }),
    }
    log.info({ event: 'gateway_started', ...urls }, 'Gateway started')
    const close = async (why = 'requested', byAnother = false) => {
      log.info({ event: 'gateway_stopping', reason: why }, 'Gateway stopping')
      run.why = why
      isReplaced = byAnother
      await opened.disposeAsync()
      log.info({ event: 'gateway_stopped' }, 'Gateway stopped')
    }
    const reload = () => {
      server.reload()
      xksServer?.reload()
    }
    return { ...urls, metrics: () => metrics.text(), reload, close }
  } catch (error) {
    await opened.disposeAsync()
    throw error
  }
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
