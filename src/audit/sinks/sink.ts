/** What receives checkpoints, and audit records, besides the journal. One implementation a file. */
import type { Line } from '../format.ts'

/** A line of the journal: an audit record, a checkpoint or a new signing key. */
export interface Item {
  /** As it is in the journal, without its newline. */
  readonly text: string
  readonly line: Line
}

export interface Sink {
  /** Bytes of lines that are delivered together; a few more are possible. */
  readonly batchSize: number
  /** Divides a batch into parts that are delivered one by one, each until it succeeds. */
  parts?(items: readonly Item[]): readonly (readonly Item[])[]
  /**
   * Resolves once the receiver has all of the items. Rejects with an Error, whose message the operator will see: it holds no secret.
   *
   * @param signal aborted when this takes too long
   */
  deliver(items: readonly Item[], signal: AbortSignal): Promise<void>
}

/** The receiver asks for a pause. */
export class TryLater extends Error {
  /** Milliseconds. */
  readonly pause: number

  constructor(message: string, pause: number) {
    super(message)
    this.pause = pause
  }
}

/** Milliseconds since the epoch. */
export function timeOf({ line }: Item): number {
  if ('checkpoint' in line) return Date.parse(line.checkpoint.time)
  if ('signingKey' in line) return Date.parse(line.signingKey.time)
  return 'eventTime' in line ? Date.parse(line.eventTime) : 0
}
