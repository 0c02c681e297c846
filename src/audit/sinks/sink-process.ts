/** The process of one sink, as the gateway sees it: started, told how far the journal is durable, restarted, and ended. */
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Child, startProcess } from '../../child-process.ts'
import type { SinkConfig } from '../../config/audit-sinks.ts'
import type { Log } from '../../log.ts'
import { cursorFile } from './cursor.ts'
import { type BlockEnd, type FromSink, receive, send } from './messages.ts'

/** How far a sink is behind the journal. */
export interface SinkState {
  readonly name: string
  /** Records of the journal that have become durable after the last one that it has passed. */
  readonly lagRecords: number
  /** Seconds since the oldest line that it has not got. */
  readonly lagSeconds: number
  /** Failed attempts, and ends of its process, since the gateway has started. */
  readonly errors: number
}

export interface SinkProcessOptions {
  readonly name: string
  readonly config: SinkConfig
  /** Path of the segment that is being written. */
  readonly journal: string
  /** The environment variables with its secrets, by name. */
  readonly secrets: Readonly<Record<string, string>>
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  readonly log: Log
  readonly record: RecordSinkEvent
}

/** Puts on record that a sink has been failing for a while, that it has recovered, and that it cannot get some lines. */
export type RecordSinkEvent = (
  name: 'MarkAuditSinkUnavailable' | 'MarkAuditSinkAvailable' | 'ReportAuditSinkGap',
  details: Readonly<Record<string, unknown>>,
) => void

/** Milliseconds before a restart: doubled each time until something is delivered. */
const pauses = { first: 1000, longest: 60_000 }
/** Milliseconds between two messages about the end of the journal, so that blocks cost next to nothing. */
const tellInterval = 200
/** Milliseconds of failing until it is put on record, so that a sink that comes and goes does not fill the journal. */
const recordedAfter = 60_000
/** Lower than the workers of HSMs. */
const niceness = 10
/** Characters of standard error that are kept. */
const longestComplaint = 10_000
/** What Node.js says of an error that ends the process, without what the error has besides its message. */
const errorLine = /^(?:\w*Error\b|FATAL ERROR).{0,500}/m

export class SinkProcess {
  readonly #options: SinkProcessOptions
  #child: Child | undefined
  #durable: BlockEnd | undefined
  #delivered: BlockEnd | undefined
  /** Milliseconds since the epoch: of the oldest line that it has not got. */
  #behindSince: number | undefined
  /** A block that it has not passed yet, and when that was durable. */
  #mark: { readonly block: number; readonly at: number } | undefined
  #failingSince: number | undefined
  #isRecorded = false
  #errors = 0
  #pause = pauses.first
  #tellTimer: NodeJS.Timeout | undefined
  #restartTimer: NodeJS.Timeout | undefined
  #isClosing = false

  constructor(options: SinkProcessOptions) {
    this.#options = options
  }

  get state(): SinkState {
    const { name, clock } = this.#options
    const lagSeconds = this.#behindSince === undefined ? 0 : Math.max(0, clock() - this.#behindSince) / 1000
    const lagRecords = (this.#durable?.record ?? 0) - (this.#delivered?.record ?? 0)
    return { name, lagRecords: Math.max(0, lagRecords), lagSeconds, errors: this.#errors }
  }

  start(): void {
    const { config, journal, name, secrets } = this.#options
    try {
      const entry = fileURLToPath(new URL(`./process${extname(import.meta.url)}`, import.meta.url))
      this.#child = startProcess({
        command: [entry, name],
        environment: secrets,
        niceness,
        description: 'process for an audit sink',
      })
    } catch (error) {
      this.#restart((error as Error).message)
      return
    }
    const { socket, errors, ended } = this.#child
    let complaint = ''
    errors.on('data', data => {
      complaint = `${complaint}${data}`.slice(-longestComplaint)
    })
    socket.on('error', () => {})
    receive<FromSink>(socket, message => this.#receive(message))
    send(socket, { start: { sink: config, journal, cursor: cursorFile(journal, name) } })
    this.#tellNow()
    void ended.then(reason => {
      this.#child = undefined
      if (!this.#isClosing) this.#restart([reason, ...(errorLine.exec(complaint) ?? [])].join(', '))
    })
  }

  /** Costs a call for each block next to nothing. @param place the end of a block that has become durable */
  tell(place: BlockEnd): void {
    this.#durable = place
    this.#tellTimer ??= setTimeout(() => this.#tellNow(), tellInterval).unref()
  }

  #tellNow(): void {
    clearTimeout(this.#tellTimer)
    this.#tellTimer = undefined
    const [child, durable] = [this.#child, this.#durable]
    if (durable === undefined) return
    if (durable.block !== this.#delivered?.block) {
      this.#mark ??= { block: durable.block, at: this.#options.clock() }
      this.#behindSince ??= this.#mark.at
    }
    if (child === undefined) return
    // A process that does not read must not fill the memory of the gateway.
    if (child.socket.writableLength > 0) this.tell(durable)
    else send(child.socket, { durable })
  }

  #receive(message: FromSink): void {
    if ('resumed' in message) this.#advance(message.resumed)
    if ('failed' in message) this.#fail(message.failed)
    if ('delivering' in message) this.#behindSince = message.delivering
    if ('delivered' in message) this.#succeed(message.delivered)
    if ('gap' in message) this.#miss(message.gap)
  }

  #miss(reason: string): void {
    const { log, name, record } = this.#options
    this.#errors++
    log.error({ event: 'audit_sink_gap', sink: name, reason }, 'Audit sink cannot get everything')
    if (!this.#isClosing) record('ReportAuditSinkGap', { sink: name, reason })
  }

  #succeed(delivered: BlockEnd): void {
    const { log, name, record } = this.#options
    this.#pause = pauses.first
    this.#advance(delivered)
    if (this.#failingSince === undefined) return
    log.info({ event: 'audit_sink_recovered', sink: name }, 'Audit sink recovered')
    if (this.#isRecorded && !this.#isClosing) record('MarkAuditSinkAvailable', { sink: name })
    this.#failingSince = undefined
    this.#isRecorded = false
  }

  #advance(delivered: BlockEnd): void {
    this.#delivered = delivered
    if (this.#mark === undefined || delivered.block < this.#mark.block) return
    const isCaughtUp = delivered.block === this.#durable?.block
    // What is still to be delivered has become durable after the mark.
    this.#behindSince = isCaughtUp ? undefined : this.#mark.at
    this.#mark = isCaughtUp ? undefined : { block: this.#durable!.block, at: this.#options.clock() }
  }

  #fail(reason: string): void {
    const { log, name, config, clock, record } = this.#options
    this.#errors++
    if (this.#failingSince === undefined) {
      log.error({ event: 'audit_sink_failed', sink: name, type: config.type, reason }, 'Audit sink failed')
      this.#failingSince = clock()
    } else if (!this.#isRecorded && !this.#isClosing && clock() - this.#failingSince >= recordedAfter) {
      this.#isRecorded = true
      record('MarkAuditSinkUnavailable', { sink: name, type: config.type, reason })
    }
  }

  #restart(reason: string): void {
    this.#fail(`its process ended: ${reason}`)
    this.#restartTimer = setTimeout(() => this.start(), this.#pause).unref()
    this.#pause = Math.min(this.#pause * 2, pauses.longest)
  }

  /** Delivers what is durable, and ends the process. @param grace milliseconds, after which it is killed */
  async close(grace: number): Promise<void> {
    this.#isClosing = true
    for (const timer of [this.#restartTimer, this.#tellTimer]) clearTimeout(timer)
    const [child, durable] = [this.#child, this.#durable]
    if (child === undefined) return
    if (durable !== undefined) send(child.socket, { durable })
    send(child.socket, { close: true })
    const timer = setTimeout(() => child.process.kill('SIGKILL'), grace)
    const { promise: unkillable, resolve } = Promise.withResolvers<void>()
    // A process that waits for a dead network file system ends when that answers.
    const end = setTimeout(resolve, grace + 500)
    await Promise.race([child.ended, unkillable])
    clearTimeout(timer)
    clearTimeout(end)
    child.process.unref()
    for (const stream of [child.socket, child.errors]) stream.destroy()
  }
}
