/** Remembers up to where a sink has got the journal, in a small file. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join, parse } from 'node:path'
import type { BlockEnd } from './messages.ts'

/** Milliseconds between two writes. After a crash, what was delivered since the last one is delivered again. */
const interval = 5000

/** `audit.jsonl` becomes `audit-sink-siem.json`. @param journal path of the segment that is being written */
export function cursorFile(journal: string, sink: string): string {
  const { dir, name } = parse(journal)
  return join(dir, `${name}-sink-${sink}.json`)
}

export class Cursor {
  readonly #file: string
  readonly #failed: (reason: string) => void
  #place: BlockEnd | undefined
  #timer: NodeJS.Timeout | undefined

  /** @param failed called when the file cannot be written, which is tried again */
  constructor(file: string, failed: (reason: string) => void) {
    this.#file = file
    this.#failed = failed
  }

  /** Undefined for a new sink, and if the file is damaged: then everything is delivered again. Throws if it cannot be read. */
  read(): BlockEnd | undefined {
    if (!existsSync(this.#file)) return undefined
    const text = readFileSync(this.#file, 'utf8')
    try {
      const place = JSON.parse(text) as Partial<BlockEnd> | null
      const numbers = [place?.segment, place?.offset, place?.block, place?.record]
      const isWhole = typeof place?.journal === 'string' && typeof place.hash === 'string' && numbers.every(isCount)
      return isWhole ? (place as BlockEnd) : undefined
    } catch {
      return undefined
    }
  }

  advance(place: BlockEnd): void {
    this.#place = place
    this.#timer ??= setTimeout(() => this.save(), interval)
  }

  save(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#place === undefined) return
    try {
      // Always the same name: a process that is killed leaves no more than one.
      const temporary = `${this.#file}.new`
      writeFileSync(temporary, `${JSON.stringify(this.#place)}\n`, { mode: 0o600, flush: true })
      renameSync(temporary, this.#file)
      this.#place = undefined
    } catch (error) {
      this.#failed(`cannot write ${this.#file}: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`)
      this.#timer = setTimeout(() => this.save(), interval)
    }
  }
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0
}
