/** The entry of a gateway process. It ends when the supervisor is gone: node:cluster sees the channel close. */
import cluster from 'node:cluster'
import type { Gateway } from '../assemble.ts'
import { OperatorError } from '../errors.ts'
import type { StartError } from '../hsm/pool/worker-process.ts'
import { type Answer, answerCall, type Channel } from '../remote-objects.ts'
import { RemoteDatabase } from '../storage/remote-database.ts'
import { pinRefused, type SupervisedGateway, type ToProcess, type ToSupervisor } from './messages.ts'

/** Milliseconds to flush standard error. */
const flushTime = 1000

let gateway: Gateway | undefined
let toDatabase: (answer: Answer) => void = () => {}
let changed = () => {}

class SharedDatabase extends RemoteDatabase {
  override watch(listener: () => void): void {
    changed = listener
  }
}

const channel: Channel = {
  send: call => send({ database: call }),
  receive(answer) {
    toDatabase = answer
    // The supervisor opened it before it started this process.
    setImmediate(() => answer({ id: 0 }))
  },
}

const supervised: SupervisedGateway = {
  async start({ config, hasDatabase, umask }) {
    process.umask(umask)
    const { startGateway } = await import('../assemble.ts')
    const database = hasDatabase ? new SharedDatabase(channel) : undefined
    gateway = await startGateway(config, undefined, undefined, { database }).catch(rethrow)
    const { url, xksUrl } = gateway
    return { url, ...(xksUrl !== undefined && { xksUrl }) }
  },
  metrics: async () => gateway?.metrics() ?? '',
  async close(why, isReplaced) {
    await gateway?.close(why, isReplaced)
  },
}

function send(message: ToSupervisor): void {
  // The supervisor may be gone: then this process ends, too.
  process.send!(message, undefined, undefined, () => {})
}

async function take(message: ToProcess): Promise<void> {
  if ('database' in message) toDatabase(message.database)
  else if ('changed' in message) changed()
  else {
    send({ gateway: await answerCall(supervised, message.gateway) })
    if (message.gateway.method === 'close') end()
  }
}

/** Only its name and message get to the supervisor. */
function rethrow(error: unknown): never {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ((cause as StartError).reason === 'pinRefused') throw Object.assign(error as Error, { name: pinRefused })
  }
  throw error instanceof OperatorError ? new OperatorError(error.message) : error
}

/** Open connections, whose requests were not finished in time, must not keep it alive. */
function end(): void {
  cluster.worker!.disconnect()
  setTimeout(() => process.exit(), flushTime).unref()
}

// Terminals and service managers signal the whole process group: the supervisor says what to do.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
process.on('message', (message: ToProcess) => void take(message))
send({ gateway: { id: 0 } })
