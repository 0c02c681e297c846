/** What a journal says of its gateway, of changes, and of the journals of other gateways. */
import { timeOfEvent } from '../event-id.ts'
import { type NumberedChange, type Peer, type Rewind, segmentHeaderOf } from '../format.ts'
import { isCount, isText, memberIn } from '../line-members.ts'
import type { ChangeNumbers } from './change-numbers.ts'

/** A statement about another journal, and the file that has it. */
export interface Testimony {
  readonly file: string
  readonly gateway: string | undefined
  readonly peer: Peer
}

export class Statements {
  readonly #changes: ChangeNumbers
  /** Name of the gateway that wrote the last segment. */
  gateway: string | undefined
  /** The latest one about each journal, by its UUID. */
  readonly peers = new Map<string, Testimony>()
  /** When the last change on record was called: milliseconds since the epoch. */
  lastChangeAt = 0

  constructor(changes: ChangeNumbers) {
    this.#changes = changes
  }

  /**
   * @param line any but a record or an intent, of a block whose hash is right
   * @returns whether it is what a gateway writes, as far as it is a statement
   */
  add(line: string, file: string): boolean {
    if (line.startsWith('{"change":')) return this.#change(changeIn(line))
    if (line.startsWith('{"peer":')) return this.#peer(peerIn(line), file)
    if (line.startsWith('{"rewind":')) return this.#rewind(rewindIn(line))
    if (line.startsWith('{"segment":')) this.gateway = segmentHeaderOf(`${line}\n`)?.gateway
    return true
  }

  #change(change: NumberedChange | undefined): boolean {
    if (change === undefined || change.number === 0) return false
    this.#changes.add(change.number)
    this.lastChangeAt = Math.max(this.lastChangeAt, timeOfEvent(change.eventID) ?? 0)
    return true
  }

  #peer(peer: Peer | undefined, file: string): boolean {
    if (peer) this.peers.set(peer.journal, { file, gateway: this.gateway, peer })
    return peer !== undefined
  }

  #rewind(rewind: Rewind | undefined): boolean {
    if (rewind) this.#changes.rewind(rewind)
    return rewind !== undefined
  }
}

export function changeIn(line: string): NumberedChange | undefined {
  return memberIn<NumberedChange>(line, 'change', { number: isCount, eventID: isText })
}

function peerIn(line: string): Peer | undefined {
  return memberIn<Peer>(line, 'peer', {
    journal: isText,
    gateway: isText,
    since: isText,
    segment: isCount,
    block: isCount,
    record: isCount,
    hash: isText,
  })
}

function rewindIn(line: string): Rewind | undefined {
  return memberIn<Rewind>(line, 'rewind', { from: isCount, to: isCount, time: isText })
}
