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
  readonly batchSize = 1024 * 1024
  readonly #config: SyslogSinkConfig

  constructor(config: SyslogSinkConfig) {
    this.#config = config
  }

  /**
   * Syslog acknowledges nothing. So each batch has a connection of its own: once the receiver has closed it, too, it has read everything
   * before the end. A connection that stays open would lose what it had not read yet when it breaks.
   */
  async deliver(items: readonly Item[], signal: AbortSignal): Promise<void> {
    const { host, port } = this.#config
    const options: ConnectionOptions = { host, port, ...readTls(this.#config) }
    const socket = connect(options)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const abort = () => socket.destroy(new Error('no answer'))
    signal.addEventListener('abort', abort)
    let isSent = false
    socket.on('error', reject)
    const closed = () => (isSent ? resolve() : reject(new Error('the receiver closed the connection')))
    socket.on('end', closed)
    socket.on('close', closed)
    socket.on('secureConnect', () => {
      for (const item of items) socket.write(framed(messageOf(item, this.#config)))
      socket.end(() => {
        isSent = true
      })
    })
    // Ends the socket once the receiver has ended its side; syslog receivers send nothing.
    socket.resume()
    try {
      await promise
    } finally {
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
