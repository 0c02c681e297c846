/**
 * The lines of an audit journal, and the hash chain over them. docs/audit.md describes the format for those who check a journal without
 * this code.
 *
 * A journal is a sequence of files, its segments. A segment is a sequence of blocks: one or more lines of JSON that became durable together,
 * and a trailer. The hash in a trailer covers the bytes of its block, and the hash of the block before.
 */
import { hash } from 'node:crypto'
import type { SigningKey } from '../model/keys/key.ts'
import type { AuditRecord } from './entry.ts'

/** The first line of a segment; the only one of its block. */
export interface SegmentHeader {
  readonly version: 1
  /** UUID of the journal. */
  readonly journal: string
  /** From 1. */
  readonly number: number
  /** Name of the gateway that began it; undefined for one of a former version. */
  readonly gateway?: string | undefined
  /** ISO 8601, UTC, milliseconds. */
  readonly time: string
  /** Of the first segment: the records of a former version, in a file of their own. */
  readonly before?: Before | undefined
}

/** A file without blocks. */
export interface Before {
  /** Its name. */
  readonly file: string
  readonly bytes: number
  /** Hex. */
  readonly sha256: string
}

/**
 * A change that is about to be made: its record as far as it is known. The record with the same eventID says what became of it; there is one,
 * at the latest after the next start. An attempt after a conflict has an intent of its own.
 */
export type Intent = AuditRecord

/** The end of a block, signed by a key on an HSM: then all before it is what it was when it was signed. See checkpoint.ts. */
export interface Checkpoint extends Head {
  /** Name of the gateway; undefined in one of a former version. */
  readonly gateway?: string | undefined
  /** ISO 8601, UTC, milliseconds. */
  readonly time: string
  /** Hex SHA-256 of the DER SubjectPublicKeyInfo of the key. */
  readonly key: string
  /** Base64 of the DER ECDSA-Sig-Value. */
  readonly signature: string
}

/**
 * The number of a commit, right before the record of the event that caused it, in one block. All gateways that share storage number their
 * commits together, without gaps from 1.
 */
export interface NumberedChange {
  readonly number: number
  readonly eventID: string
}

/** The journal of another gateway with the same storage, as that signed it last. */
export interface Peer {
  /** UUID. */
  readonly journal: string
  /** Name of the gateway. */
  readonly gateway: string
  /** When it was first written: ISO 8601, UTC, milliseconds, by the clock of the database. */
  readonly since: string
  /** The last block that a checkpoint of it signs; 0 before the first one. */
  readonly segment: number
  readonly block: number
  readonly record: number
  /** Empty before the first checkpoint. */
  readonly hash: string
}

/** Storage is older than it was: it has lost changes, whose numbers it gives again. */
export interface Rewind {
  /** Number of the last change that it had, as far as is known, */
  readonly from: number
  /** and of the last one that it has. */
  readonly to: number
  /** ISO 8601, UTC, milliseconds. */
  readonly time: string
}

/** What can be appended to a journal. */
export type Line =
  | AuditRecord
  | { readonly intent: Intent }
  | { readonly checkpoint: Checkpoint }
  /** A new key for checkpoints, which may be written several times. */
  | { readonly signingKey: SigningKey }
  | { readonly change: NumberedChange }
  | { readonly peer: Peer }
  | { readonly rewind: Rewind }

/** The end of a block. */
export interface Head {
  /** UUID. */
  readonly journal: string
  readonly segment: number
  /** From 1, across segments. */
  readonly block: number
  /** Number of the last audit record, from 1, across segments; 0 before the first. */
  readonly record: number
  /** Hex SHA-256 of the block: see blockOf. */
  readonly hash: string
}

/** The last line of a block. */
export interface Trailer {
  readonly number: number
  readonly record: number
  readonly previous: string
  readonly hash: string
}

/** Hash before the first block of a journal. */
export const noHash = '0'.repeat(64)

/** Bytes of a block with its trailer: a gateway writes no larger ones, and readers keep no more in memory. */
export const largestBlock = 64 * 1024 * 1024

/** Bytes of lines in a block: more waits for the next one. A single line may be longer. */
export const fullBlock = 4 * 1024 * 1024

const trailerEnd = { hash: ',"hash":"', close: '"}}\n' }
const trailerEndLength = trailerEnd.hash.length + noHash.length + trailerEnd.close.length

/** Begins the last line of a block, together with the end of the line before. */
export const trailerMark = Buffer.from('\n{"block":{')

/**
 * Puts lines into the block after a head.
 *
 * @param lines each with its newline
 * @param records how many of them are audit records
 */
export function blockOf(lines: string, records: number, head: Head): { readonly bytes: Buffer; readonly head: Head } {
  const [block, record] = [head.block + 1, head.record + records]
  const trailer = `{"block":{"number":${block},"record":${record},"previous":"${head.hash}"`
  const bytes = Buffer.from(`${lines}${trailer}${blockEnding(noHash)}`)
  const digest = hashOf(bytes)
  bytes.write(digest, bytes.length - trailerEnd.close.length - noHash.length, 'latin1')
  return { bytes, head: { ...head, block, record, hash: digest } }
}

interface Beginning extends Pick<SegmentHeader, 'gateway' | 'before'> {
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** The first block of the segment after a head. */
export function headerBlock(
  head: Head,
  { now, gateway, before }: Beginning,
): { readonly bytes: Buffer; readonly head: Head } {
  const number = head.segment + 1
  const time = new Date(now).toISOString()
  const header: SegmentHeader = { version: 1, journal: head.journal, number, gateway, time, before }
  return blockOf(`${JSON.stringify({ segment: header })}\n`, 0, { ...head, segment: number })
}

/** The text with which a block of that hash ends. */
export function blockEnding(hash: string): string {
  return `${trailerEnd.hash}${hash}${trailerEnd.close}`
}

/** The hash that the trailer of a whole block must have: SHA-256 of its bytes from the first up to `,"hash":`. */
export function hashOf(block: Uint8Array): string {
  return hash('sha256', block.subarray(0, block.length - trailerEndLength), 'hex')
}

const trailerLine =
  /^\{"block":\{"number":([1-9]\d{0,15}),"record":(0|[1-9]\d{0,15}),"previous":"([0-9a-f]{64})","hash":"([0-9a-f]{64})"\}\}$/

/** Undefined for any other line. */
export function trailerOf(line: string): Trailer | undefined {
  const [, number, record, previous, hash] = trailerLine.exec(line) ?? []
  return hash === undefined ? undefined : { number: Number(number), record: Number(record), previous: previous!, hash }
}

/** Of the text with which a segment begins. Undefined if that is something else. */
export function segmentHeaderOf(text: string): SegmentHeader | undefined {
  const line = /^\{"segment":.*(?=\n)/.exec(text)?.[0]
  try {
    const { segment } = JSON.parse(line ?? '{}') as { readonly segment?: Partial<SegmentHeader> }
    const { version, journal = '', number = 0 } = segment ?? {}
    const isWhole = version === 1 && /^[0-9a-f-]{36}$/.test(journal) && Number.isSafeInteger(number) && number > 0
    return isWhole ? (segment as SegmentHeader) : undefined
  } catch {
    return undefined
  }
}

/** Whether a text may be the beginning of a segment whose first line was not written whole. */
export function isCutHeader(text: string): boolean {
  const begin = '{"segment":'
  return !text.includes('\n') && (text.startsWith(begin) || begin.startsWith(text))
}

/** Whether a line of a journal, as text, is an audit record. */
export function isRecordLine(line: string): boolean {
  return !/^\{"(?:segment|intent|checkpoint|signingKey|change|peer|rewind|block)":/.test(line)
}

/** Undefined for a header, a trailer, and what is no line of a journal, such as an event without an ID. */
export function lineOf(text: string): Line | undefined {
  try {
    const line = JSON.parse(text) as Line
    if (['checkpoint', 'signingKey', 'change', 'peer', 'rewind'].some(member => member in line)) return line
    const { eventID } = 'intent' in line ? line.intent : (line as AuditRecord)
    return typeof eventID === 'string' ? line : undefined
  } catch {
    return undefined
  }
}

export function isRecord(line: Line): line is AuditRecord {
  return 'eventID' in line
}
