import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { isCopy } from './copies.ts'
import type { AuditRecord } from './entry.ts'
import { timeOfEvent } from './event-id.ts'
import { isRecordLine } from './format.ts'
import { blocksOf } from './read.ts'
import { headerIn } from './segment-bytes.ts'
import { fullSegments } from './segments.ts'
import { callerIn } from './user-identity.ts'

/** Cryptographic calls of one caller with one key. */
export interface KeyUses {
  readonly keyArn: string
  /** ARN of the user or role, or the service principal. */
  readonly caller: string
  readonly operation: string
  readonly succeeded: number
  readonly refused: number
  /** Milliseconds since the epoch. */
  readonly lastAt: number
}

/** What journals say. */
export interface KeyUseReport {
  /** When the first record begins: milliseconds since the epoch. Undefined if there is none. */
  readonly begin: number | undefined
  /** The latest first. */
  readonly uses: readonly KeyUses[]
}

/**
 * Who used keys, by the segments of journals that are there: calls of cryptographic operations that began after a time, successful and
 * refused. Reads all of them, but parses only the records that name one of the keys. Rejects if a segment cannot be read.
 *
 * @param actives paths of the segments that are written
 * @param since by ARN of the key: milliseconds since the epoch
 */
export async function keyUses(actives: readonly string[], since: ReadonlyMap<string, number>): Promise<KeyUseReport> {
  const found = new Map<string, KeyUses>()
  const begins: number[] = []
  for (const active of actives) {
    const begin = await addUses(active, since, found)
    if (begin !== undefined) begins.push(begin)
  }
  const uses = [...found.values()].sort((one, other) => other.lastAt - one.lastAt)
  return { begin: begins.length > 0 ? Math.min(...begins) : undefined, uses }
}

/** Resolves to when the journal begins. */
async function addUses(
  active: string,
  since: ReadonlyMap<string, number>,
  found: Map<string, KeyUses>,
): Promise<number | undefined> {
  let begin: number | undefined
  const arns = [...since.keys()]
  for await (const piece of piecesOf(active)) {
    begin ??= timeOf(firstRecord(piece))
    if (!arns.some(arn => piece.includes(arn))) continue
    for (const line of piece.toString().split('\n')) {
      const named = arns.filter(arn => line.includes(arn))
      const use = named.length > 0 ? useIn(line) : undefined
      if (!use) continue
      for (const keyArn of named)
        if (use.keyArns.includes(keyArn) && use.lastAt > since.get(keyArn)!) add(found, keyArn, use)
    }
  }
  return begin
}

function firstRecord(piece: Buffer): AuditRecord | undefined {
  const line = piece.toString().split('\n').find(isRecordLine)
  return line ? parsed(line) : undefined
}

function timeOf(record: AuditRecord | undefined): number | undefined {
  return record && (timeOfEvent(record.eventID) ?? Date.parse(record.eventTime))
}

/** Whole lines of all segments, some at a time. */
async function* piecesOf(active: string): AsyncGenerator<Buffer> {
  // Opened first: it may get its number meanwhile.
  await using file = await open(active)
  const current = (await headerIn(file))?.number ?? Number.POSITIVE_INFINITY
  for (const { number, file } of await fullSegments(active)) {
    if (number === 0) yield* wholeLines(file)
    else if (number < current) for await (const { bytes } of blocksOf(file)) yield bytes
  }
  for await (const { bytes } of blocksOf(file)) yield bytes
}

/** A segment of a former version has no blocks. */
async function* wholeLines(file: string): AsyncGenerator<Buffer> {
  let rest: Uint8Array = new Uint8Array()
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>) {
    const end = chunk.lastIndexOf(0x0a) + 1
    if (end > 0) yield Buffer.concat([rest, chunk.subarray(0, end)])
    rest = end > 0 ? chunk.subarray(end) : Buffer.concat([rest, chunk])
  }
}

interface Use extends Omit<KeyUses, 'keyArn'> {
  readonly keyArns: readonly string[]
}

/** Undefined for anything but a cryptographic call. A dry run uses no key. */
function useIn(line: string): Use | undefined {
  const record = parsed(line)
  const { eventName: operation = '', eventType, readOnly, errorCode, resources = [] } = record ?? {}
  if (!record || eventType !== 'AwsApiCall' || !readOnly || /^(?:Describe|Get|List)/.test(operation)) return undefined
  if (errorCode === 'DryRunOperationException' || isCopy(record)) return undefined
  return {
    keyArns: resources.map(({ ARN }) => ARN),
    caller: callerIn(record.userIdentity),
    operation,
    succeeded: Number(errorCode === undefined),
    refused: Number(errorCode !== undefined),
    lastAt: timeOf(record)!,
  }
}

/** Undefined for a damaged line, and for what is no record. */
function parsed(line: string): AuditRecord | undefined {
  try {
    return isRecordLine(line) ? (JSON.parse(line) as AuditRecord) : undefined
  } catch {
    return undefined
  }
}

function add(found: Map<string, KeyUses>, keyArn: string, { keyArns: _, ...use }: Use): void {
  const id = JSON.stringify([keyArn, use.caller, use.operation])
  const { succeeded = 0, refused = 0, lastAt = 0 } = found.get(id) ?? {}
  found.set(id, {
    ...use,
    keyArn,
    succeeded: succeeded + use.succeeded,
    refused: refused + use.refused,
    lastAt: Math.max(lastAt, use.lastAt),
  })
}
