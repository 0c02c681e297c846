/**
 * Size limits of a record, so that no caller can fill the disk with few calls. CloudTrail has similar limits: CloudTrail User Guide,
 * "CloudTrail record contents".
 */
import { hash } from 'node:crypto'

/** Characters of a user agent or an error message. */
const longestText = 1024
/** Characters of one member of requestParameters or responseElements, as JSON. */
const longestMember = 10_240
/** The same for the operator, who owns the disk: an apply of a thousand identities is recorded in full. */
const longestOfOperator = 1024 * 1024

/** Replaces a member that is too long. */
interface Omitted {
  readonly omitted: true
  readonly characters: number
  /** Hex SHA-256 of the member as JSON, in UTF-8. */
  readonly sha256: string
}

export function shortened(text: string | undefined): string | undefined {
  return text === undefined ? undefined : cut(text, longestText)
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 3).toWellFormed()}...`
}

/** Sentences of a list, as many as are read. */
const longestList = 10
/** Characters of a sentence. */
const longestSentence = 512

export function shortList(sentences: readonly string[]): readonly string[] {
  return sentences.slice(0, longestList).map(sentence => cut(sentence, longestSentence))
}

export function limited(
  members: Readonly<Record<string, unknown>>,
  { isOperator = false } = {},
): Readonly<Record<string, unknown>> {
  const longest = isOperator ? longestOfOperator : longestMember
  let kept = members
  for (const name in members) {
    if (charactersOf(members[name]) > longest) kept = { ...kept, [name]: omitted(members[name]) }
  }
  return kept
}

function omitted(value: unknown): Omitted {
  return { omitted: true, characters: charactersOf(value), sha256: hash('sha256', JSON.stringify(value), 'hex') }
}

function charactersOf(value: unknown): number {
  if (typeof value === 'string') return value.length
  if (typeof value !== 'object' || value === null) return 0
  let count = 0
  for (const name in value) count += name.length + 1 + charactersOf(value[name as keyof typeof value])
  return count
}
