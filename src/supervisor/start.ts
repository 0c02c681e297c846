/** Starts several gateway processes and what they share. */
import { openWhenFree } from '../assemble/in-use.ts'
import { metricsAddress } from '../config/metrics.ts'
import { processCount } from '../config/processes.ts'
import type { Config } from '../config.ts'
import { createLog } from '../log.ts'
import { serveMetrics } from '../server/metrics.ts'
import { claimSocket } from '../server/unix-socket.ts'
import { openInThread } from '../storage/threaded-database.ts'
import { ProcessMetrics } from './metrics.ts'
import { SharedDatabase } from './shared-database.ts'
import { Supervisor } from './supervisor.ts'

export interface Processes {
  /** Of the AWS KMS API. */
  readonly url: string
  /** Rejects with OperatorError when no process serves, and none can be started. */
  readonly failed: Promise<never>
  /** Replaces the processes one after another, by the configuration as it is then. */
  reload(): void
  /** Ends them gracefully. @param why for their audit records */
  close(why: string): Promise<void>
}

/**
 * Rejects with OperatorError if a process cannot start.
 *
 * @param read the configuration anew
 * @param locked called before a process starts, once no other gateway can have opened storage
 */
export async function startProcesses(config: Config, read: () => Config, locked: () => void): Promise<Processes> {
  const log = createLog(config.log.level, () => {}, config.gateway)
  const opened = new AsyncDisposableStack()
  let why = 'start failed'
  try {
    // The socket of the administration API is created by this process. The others have the mask from before.
    const umask = process.umask(0o077)
    const database = opened.adopt(await openShared(config), database => database?.close())
    locked()
    const release = await claimSocket(config.administration.socket)
    opened.defer(release.close)
    const withSocket = (config: Config) => ({ ...config, administration: { socket: release.path } })
    const supervisor = opened.adopt(
      new Supervisor(withSocket(config), { database, read: () => withSocket(read()), umask, log }),
      supervisor => supervisor.close(why),
    )
    const metrics = new ProcessMetrics(() => supervisor.slots)
    const { url: metricsUrl } = opened.adopt(
      await serveMetrics(metricsAddress(config), () => metrics.text(), log),
      server => server.close(),
    )
    const urls = await supervisor.start()
    log.info(
      { event: 'processes_started', processes: processCount(config), ...urls, metricsUrl },
      'Gateway processes started',
    )
    const failed = supervisor.failed.catch(async (error: unknown): Promise<never> => {
      await opened.disposeAsync()
      throw error
    })
    failed.catch(() => {})
    return {
      url: urls.url,
      failed,
      reload: () => void supervisor.roll(),
      async close(reason) {
        why = reason
        await opened.disposeAsync()
      },
    }
  } catch (error) {
    await opened.disposeAsync()
    throw error
  }
}

/** The file of the embedded engine, which only one process may have open. */
async function openShared({ storage: { file }, administration }: Config): Promise<SharedDatabase | undefined> {
  if (file === undefined) return undefined
  const open = () => openInThread({ path: file, create: false, fleet: true })
  return new SharedDatabase(await openWhenFree(administration.socket, open))
}
