import type { AuditRecord } from './entry.ts'
import type { Head, Line } from './format.ts'

/** A block that has become durable. */
export interface DurableBlock {
  readonly head: Head
  readonly lines: readonly Line[]
  /** Where it begins in its segment, in bytes. */
  readonly offset: number
  /** Bytes. */
  readonly length: number
}

/** Is told of each durable block, in order. It must be quick, and not throw. */
export type Follower = (block: DurableBlock) => void

/** Where audit records go. */
export interface Journal {
  /** True from a failed append until the next successful one. While it is, no changes are allowed. */
  readonly failing: boolean
  /** Current end of the journal: later records are after it. Opaque, valid across restarts. */
  readonly position: string
  /** Of the last durable block. */
  readonly head: Head
  /** Resolves once the line is durable on disk; rejects if it could not be written. */
  append(line: Line): Promise<void>
  follow(follower: Follower): void
  /**
   * Whether each event has a record of success. An event is missing from the result if this is unknown: its record may be in a file that
   * was moved away or truncated.
   *
   * @param events by ID, a position of the journal before the event was recorded
   */
  successes(events: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, boolean>>
  /** Records of successful changes after a position; none if it is not in this file. */
  changesAfter(position: string): AsyncIterable<AuditRecord>
  /** Rejects if no record can be written right now; otherwise ends `failing`. */
  check(): Promise<void>
  close(): Promise<void>
}
