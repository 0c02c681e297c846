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
  /** Current end of the journal: later lines are after it. Valid across restarts: see lines-after.ts. */
  readonly position: string
  /** Of the last durable block. */
  readonly head: Head
  /** Resolves once the lines are durable on disk, in one block; rejects if they could not be written. */
  append(...lines: readonly Line[]): Promise<void>
  follow(follower: Follower): void
  /** Rejects if no record can be written right now; otherwise ends `failing`. */
  check(): Promise<void>
  close(): Promise<void>
}
