/** What the gateway and the process of a sink send each other: lines of JSON. */
import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import type { Duplex } from 'node:stream'
import type { SinkConfig } from '../../config/audit-sinks.ts'
import type { Head } from '../format.ts'

/** The end of a durable block. */
export interface BlockEnd extends Head {
  /** In the segment, in bytes. */
  readonly offset: number
}

export type ToSink =
  | { readonly start: SinkStart }
  /** The journal is durable up to here. */
  | { readonly durable: BlockEnd }
  /** The process ends once it has delivered everything durable. */
  | { readonly close: true }

export interface SinkStart {
  readonly sink: SinkConfig
  /** Path of the segment that is being written. */
  readonly journal: string
  /** Path of the file that remembers what has been delivered. */
  readonly cursor: string
}

export type FromSink =
  /** Everything up to here had been delivered when the process began. */
  | { readonly resumed: BlockEnd }
  /** Everything up to here has been delivered. */
  | { readonly delivered: BlockEnd }
  /** Milliseconds since the epoch: the time of the oldest line that is being delivered. */
  | { readonly delivering: number }
  | { readonly failed: string }
  /** Lines that cannot be delivered, as they are no longer in the journal. */
  | { readonly gap: string }

export function send(socket: Duplex | Socket, message: ToSink | FromSink): void {
  socket.write(`${JSON.stringify(message)}\n`)
}

export function receive<T extends ToSink | FromSink>(socket: Duplex | Socket, take: (message: T) => void): void {
  createInterface({ input: socket }).on('line', line => take(JSON.parse(line) as T))
}
