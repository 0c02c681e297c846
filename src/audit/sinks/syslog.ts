/** Syslog (RFC 5424) over TLS (RFC 5425): a message for each item. */
import { hostname } from 'node:os'
import { type ConnectionOptions, connect } from 'node:tls'
import type { SyslogSinkConfig } from '../../config/audit-sinks.ts'
import { isRecord } from '../format.ts'
import { readTls } from './request.ts'
import { shortenedRecord } from './shortened-record.ts'
import { type Item, type Sink, timeOf } from './sink.ts'

/** RFC 5424, section 6.2.1. */
const facilities = {
  auth: 4,
  authpriv: 10,
  audit: 13,
  local0: 16,
  local1: 17,
  local2: 18,
  local3: 19,
  local4: 20,
  local5: 21,
  local6: 22,
  local7: 23,
} as const
const severities = { warning: 4, informational: 6 }

export class SyslogSink implements Sink {
  readonly batchSize = 4 * 1024 * 1024
  readonly #config: SyslogSinkConfig
  readonly #roundTrip: number

  /** @param roundTrip milliseconds: longer than a packet takes to the receiver and back */
  constructor(config: SyslogSinkConfig, roundTrip = 500) {
    this.#config = config
    this.#roundTrip = roundTrip
  }

  /**
   * Syslog acknowledges nothing, so each batch has a connection of its own. A receiver that closes it before its end has not got everything:
   * one round trip shows that. Afterwards it closes only once it has read everything and the end; if something is unread, its system resets
   * the connection.
   */
  async deliver(items: readonly Item[], signal: AbortSignal): Promise<void> {
    const { host, port } = this.#config
    const options: ConnectionOptions = { host, port, ...readTls(this.#config) }
    const socket = connect(options)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const abort = () => socket.destroy(new Error('no answer'))
    signal.addEventListener('abort', abort)
    let timer: NodeJS.Timeout | undefined
    let isEnded = false
    const closed = () => (isEnded ? resolve() : reject(new Error('the receiver closed the connection')))
    const end = () => socket.end(() => (isEnded = true))
    socket.on('error', reject).on('end', closed).on('close', closed)
    socket.on('secureConnect', () => {
      const messages = items.map(item => framed(messageOf(item, this.#config)))
      socket.write(messages.join(''), () => {
        timer = setTimeout(end, this.#roundTrip)
      })
    })
    // Receivers send nothing; their end is only seen while this is read.
    socket.resume()
    try {
      await promise
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
      socket.destroy()
    }
  }
}

/** RFC 5425, section 4.3: the length in bytes, a space, the message. */
function framed(message: string): string {
  return `${Buffer.byteLength(message)} ${message}`
}

/**
 * A message without structured data. Its text is JSON, without the byte order mark of RFC 5424, section 6.4, which RFC 8259, section 8.1,
 * forbids.
 */
export function messageOf(item: Item, { facility, maxMessageSize }: SyslogSinkConfig): string {
  const { text, line } = item
  const record = isRecord(line) ? line : undefined
  const severity = record?.errorCode === undefined ? severities.informational : severities.warning
  const id = record === undefined ? Object.keys(line)[0] : record.eventName
  const time = new Date(timeOf(item)).toISOString()
  const fields = [time, field(hostname(), 255), 'strongroom', '-', field(id, 32), '-']
  const header = `<${facilities[facility] * 8 + severity}>1 ${fields.join(' ')} `
  const room = maxMessageSize - Buffer.byteLength(header)
  const isLong = record !== undefined && Buffer.byteLength(text) > room
  return header + (isLong ? shortenedRecord(record, text, room) : text)
}

/** RFC 5424, section 6: printable ASCII without spaces, or `-`. */
function field(text: string | undefined, length: number): string {
  const printable = text?.replace(/[^!-~]/g, '').slice(0, length)
  return printable || '-'
}
