/** One gateway process, as the supervisor sees it. */
import type { Worker } from 'node:cluster'
import { OperatorError } from '../errors.ts'
import { type Channel, type ClonedError, RemoteObject } from '../remote-objects.ts'
import { pinRefused, type SupervisedGateway, type ToProcess, type ToSupervisor } from './messages.ts'
import type { SharedDatabase } from './shared-database.ts'

/** Milliseconds to finish requests in flight and end: longer than listeners take to close. */
const endTime = 35_000

/** A token refused the PIN: another try may lock it. */
export class PinRefused extends OperatorError {
  override readonly name = pinRefused
}

export class GatewayProcess extends RemoteObject<SupervisedGateway> {
  readonly pid: number
  /** Resolves when it has ended: to a signal or an exit code. */
  readonly ended: Promise<string>
  readonly #worker: Worker
  #closing: Promise<void> | undefined

  /** @param database that it shares with others */
  constructor(worker: Worker, database: SharedDatabase | undefined) {
    const ended = Promise.withResolvers<string>()
    worker.on('exit', (code, signal) => ended.resolve(signal ?? `exit code ${code}`))
    // It has ended, or is about to.
    worker.on('error', () => {})
    super(channelTo(worker, ended.promise))
    this.ended = ended.promise
    this.#worker = worker
    this.pid = worker.process.pid ?? 0
    const tell = (message: ToProcess) => send(worker, message)
    const leave = database?.join(
      answer => tell({ database: answer }),
      () => tell({ changed: true }),
    )
    worker.on('message', (message: ToSupervisor) => {
      if ('database' in message) leave?.call(message.database)
    })
    void ended.promise.then(() => leave?.end())
  }

  readonly start = this.call('start')
  readonly metrics = this.call('metrics')

  /** Finishes requests in flight; resolves when it has ended. Kills it if that takes too long. */
  override close(why = 'requested', isReplaced = false): Promise<void> {
    this.#closing ??= this.#close(why, isReplaced)
    return this.#closing
  }

  kill(): void {
    this.#worker.process.kill('SIGKILL')
  }

  protected override revived(error: ClonedError): Error {
    return error.name === pinRefused ? new PinRefused(error.message) : super.revived(error)
  }

  async #close(why: string, isReplaced: boolean): Promise<void> {
    const timer = setTimeout(() => this.kill(), endTime)
    try {
      await this.call('close')(why, isReplaced)
    } catch {
      // It cannot say how it ended.
      this.kill()
    }
    await this.ended
    clearTimeout(timer)
  }
}

function channelTo(worker: Worker, ended: Promise<string>): Channel {
  return {
    send: call => send(worker, { gateway: call }),
    receive(answer, end) {
      worker.on('message', (message: ToSupervisor) => {
        if ('gateway' in message) answer(message.gateway)
      })
      void ended.then(reason => end(new Error(`the gateway process ended: ${reason}`)))
    },
  }
}

/** A process that has ended takes no messages. */
function send(worker: Worker, message: ToProcess): void {
  worker.send(message, undefined, undefined, () => {})
}
