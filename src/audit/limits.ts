/**
 * Size limits of a record, so that no caller can fill the disk with few calls: those of CloudTrail (CloudTrail User Guide, "CloudTrail record
 * contents for management events"), less for whoever is not known, and more for the operator, who owns the disk.
 */
import { hash } from 'node:crypto'
import type { Caller } from '../model/identities/caller.ts'

interface Limits {
  /** Bytes of a user agent, an error message or a host, as JSON. */
  readonly text: number
  /** Bytes of requestParameters or responseElements, as JSON. */
  readonly members: number
}

/** A record of at most two kilobytes. */
const ofUnknown: Limits = { text: 256, members: 512 }
const ofCaller: Limits = { text: 1024, members: 100 * 1024 }
/** An apply of a thousand identities is recorded in full. */
const ofOperator: Limits = { text: 1024, members: 1024 * 1024 }

/** @param caller undefined while it is not known */
export function limitsFor(caller: Pick<Caller, 'type'> | undefined): Limits {
  if (caller === undefined) return ofUnknown
  return caller.type === 'operator' ? ofOperator : ofCaller
}

/** Replaces a member that is too long. */
interface Omitted {
  readonly omitted: true
  /** Bytes as JSON. */
  readonly originalSize: number
  /** Hex SHA-256 of the member as JSON, in UTF-8. */
  readonly sha256: string
}

/** Bytes of an Omitted as JSON, and more. */
const smallMember = 200

/** @param bytes the most that it may have as JSON */
export function shortened(text: string | undefined, bytes: number): string | undefined {
  if (text === undefined || surelyFits(text.length, bytes) || bytesOf(text) <= bytes) return text
  let [least, most] = [0, Math.min(text.length, bytes)]
  while (least < most) {
    const length = Math.ceil((least + most) / 2)
    if (bytesOf(begin(text, length)) <= bytes) least = length
    else most = length - 1
  }
  return begin(text, least)
}

function begin(text: string, length: number): string {
  return `${text.slice(0, length).toWellFormed()}...`
}

/** Sentences of a list, as many as are read. */
const longestList = 10
/** Bytes of a sentence. */
const longestSentence = 512

export function shortList(sentences: readonly string[]): readonly string[] {
  return sentences.slice(0, longestList).map(sentence => shortened(sentence, longestSentence)!)
}

/** Members that are too long together: the longer ones are replaced by their hashes, and if there are too many, all by one. */
export function limited(members: Readonly<Record<string, unknown>>, bytes: number): Readonly<Record<string, unknown>> {
  if (surelyFits(charactersOf(members), bytes) || bytesOf(members) <= bytes) return members
  const entries = Object.entries(members).map(([name, value]) => [name, value, bytesOf(value ?? null)] as const)
  let excess = bytesOf(members) - bytes
  const kept = { ...members }
  for (const [name, value, size] of entries.sort((one, other) => other[2] - one[2])) {
    if (excess <= 0 || size <= smallMember) break
    kept[name] = omitted(value)
    excess -= size - smallMember
  }
  return excess <= 0 || bytesOf(kept) <= bytes ? kept : { ...omitted(members) }
}

/** A character has at most six bytes as JSON: `\\u0000`. */
function surelyFits(characters: number, bytes: number): boolean {
  return characters * 6 + 2 <= bytes
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value))
}

function omitted(value: unknown): Omitted {
  const json = JSON.stringify(value)
  return { omitted: true, originalSize: Buffer.byteLength(json), sha256: hash('sha256', json, 'hex') }
}

/** At least those of the JSON, but for escapes. */
function charactersOf(value: unknown): number {
  if (typeof value === 'string') return value.length + 3
  if (typeof value !== 'object' || value === null) return 25
  let count = 2
  for (const [name, member] of Object.entries(value)) count += name.length + 4 + charactersOf(member)
  return count
}
