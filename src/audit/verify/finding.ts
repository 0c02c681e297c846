/** Where and how a journal is not what the gateway wrote. */
export interface Finding {
  readonly kind: FindingKind
  readonly file: string
  /** Where the block begins in the file, in bytes. */
  readonly offset?: number | undefined
  readonly block?: number | undefined
  /** Number of the first audit record that may be concerned. */
  readonly record?: number | undefined
  /** One sentence, without the place. */
  readonly message: string
}

export type FindingKind =
  /** Bytes differ from those that the gateway wrote. */
  | 'changed'
  /** Blocks, a segment or the end are not there. */
  | 'missing'
  /** Blocks or a segment are where they do not belong: repeated, moved, of another journal. */
  | 'misplaced'
  /** Bytes that are no block. */
  | 'incomplete'
  /** The signature of a checkpoint is wrong, or by an unknown key. */
  | 'signature'
  /** The journal is not the one that was signed. */
  | 'replaced'
  /** Too much is not signed. */
  | 'unsigned'

export type Report = (finding: Finding) => void

/** `block 7`, `blocks 7 to 9`. */
export function rangeText(name: string, first: number, last: number): string {
  return first === last ? `${name} ${shown(first)}` : `${name}s ${shown(first)} to ${shown(last)}`
}

/** `1 record`, `1,234 records`. */
export function countText(count: number, name: string): string {
  return `${shown(count)} ${name}${count === 1 ? '' : 's'}`
}

/** With thousands separators, as records are counted in millions. */
export function shown(number: number): string {
  return number.toLocaleString('en-US')
}
