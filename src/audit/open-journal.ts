/** Opens an audit journal: continues or begins it, and repairs it after a crash. */
import { createHash, randomUUID } from 'node:crypto'
import { type FileHandle, lstat, rename } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { getSystemErrorMessage } from 'node:util'
import { OperatorError } from '../errors.ts'
import { ActiveFile, createNext, nextFile, openIfThere, syncFolder } from './active-file.ts'
import { FileJournal, type JournalOptions } from './file-journal.ts'
import { type Before, type Head, headerBlock, isCutHeader, noHash, segmentHeaderOf } from './format.ts'
import { isAfter, placeOf, positionOf } from './position.ts'
import { ifThere, longestLine, readText } from './segment-bytes.ts'
import { fullSegments, segmentFile } from './segments.ts'
import { type Break, type End, endOf, firstBreak } from './tail.ts'

export interface OpenOptions extends JournalOptions {
  /** Storage keeps records that the journal may hold: its file must be there. */
  readonly awaited?: boolean
  /** A position that a journal has reached, by its UUID, as storage remembers it; of a new journal, one of that before it. */
  readonly known?: Known
}

/** @param journal UUID */
type Known = (journal: string) => string | undefined

/** What was found, and done, when a journal was opened. */
export interface Findings {
  /** There was no file: one was begun. */
  readonly isNew: boolean
  /** Bytes of an incomplete block that were removed from the end: a crash interrupted its write, so its calls were not answered. */
  readonly cut: number
  /** Where the chain of blocks is broken, since the last checkpoint. */
  readonly broken: Break | undefined
  /** The position that storage knows, if the journal ends before it or is another one: records are lost. */
  readonly lost: string | undefined
}

interface Opened {
  readonly file: FileHandle
  readonly end: End
  readonly findings: Omit<Findings, 'isNew'>
}

/**
 * Opens the journal. A missing file is created with mode 0600, unless it is `awaited`. Nothing of it is changed but an incomplete block at
 * its end, which is removed. Throws OperatorError.
 */
export async function openJournal(
  path: string,
  { awaited = false, known = () => undefined, ...options }: OpenOptions,
): Promise<{ readonly journal: FileJournal; readonly findings: Findings }> {
  let active: FileHandle | undefined
  try {
    await finishRotation(path)
    active = await openActive(path)
    if (active === undefined && awaited)
      throw new OperatorError(
        `audit journal ${path} is missing, and may hold the records of the last changes: restore it, ` +
          'or create an empty file if it is lost',
      )
    const found = active && (await endOf(active))
    const { file, end, findings } = found
      ? await continued(path, active!, found, known)
      : await begun(path, active, { ...options, known })
    await syncFolder(dirname(path))
    const journal = new FileJournal(await ActiveFile.of(path, file), end, options)
    return { journal, findings: { isNew: active === undefined, ...findings } }
  } catch (error) {
    await active?.close().catch(() => undefined)
    if (error instanceof OperatorError) throw error
    throw new OperatorError(`audit journal ${path} cannot be opened: ${reason(error)}`, { cause: error })
  }
}

async function openActive(path: string): Promise<FileHandle | undefined> {
  const stats = await ifThere(lstat(path))
  // The name of a device or link would be given to the next segment.
  if (stats !== undefined && !stats.isFile())
    throw new OperatorError(`audit journal ${path} is not a regular file: set audit.file to another path`)
  return stats && openIfThere(path)
}

/** A crash may have come between the two renames of a rotation. */
async function finishRotation(path: string): Promise<void> {
  if ((await ifThere(lstat(path))) !== undefined) return
  const next = nextFile(path)
  await using file = await openIfThere(next)
  const end = file && (await endOf(file))
  const former = end && (await ifThere(lstat(segmentFile(path, end.head.segment - 1))))
  if (former) await rename(next, path)
}

/** Removes an incomplete block at the end. */
async function continued(path: string, file: FileHandle, end: End, known: Known): Promise<Opened> {
  const { segment } = end.head
  const last = (await fullSegments(path)).at(-1)
  if (last !== undefined && last.number >= segment)
    throw new OperatorError(
      `audit journal ${path} is segment ${segment}, but there is ${last.file}: move away the one that is not the last`,
    )
  const cut = (await file.stat()).size - end.size
  if (cut > 0) await file.truncate(end.size)
  await file.datasync()
  return {
    file,
    end,
    findings: { cut, broken: await firstBreak(path, file, end), lost: beyond(known(end.head.journal), end) },
  }
}

/** Begins a segment after the last full one, or a journal. */
async function begun(
  path: string,
  active: FileHandle | undefined,
  { clock, gateway, known }: Pick<JournalOptions, 'clock' | 'gateway'> & { readonly known: Known },
): Promise<Opened> {
  const now = clock()
  const segments = await fullSegments(path)
  const kept = active && (await numberOf(path, active))
  const last = Math.max(0, kept ?? 0, ...segments.map(({ number }) => number))
  if (kept !== undefined && segments.some(({ number }) => number >= kept))
    throw new OperatorError(`audit journal ${path} is older than ${segments.at(-1)!.file}: move it away`)
  const former = await endOfFull(segments)
  const records = segmentFile(path, 0)
  const before = last === 0 ? await beforeOf(kept === 0 ? path : records, records) : undefined
  const { bytes, head } = headerBlock({ ...(former?.head ?? emptyJournal()), segment: last }, { now, gateway, before })
  const file = await createNext(path, bytes)
  if (kept !== undefined) await rename(path, segmentFile(path, kept))
  await rename(nextFile(path), path)
  await active?.close()
  return {
    file,
    end: { size: bytes.length, head, begun: now },
    findings: { cut: 0, broken: undefined, lost: beyond(known(head.journal), former) },
  }
}

function emptyJournal(): Head {
  return { journal: randomUUID(), segment: 0, block: 0, record: 0, hash: noHash }
}

/** The end of the last full segment that has a whole block. */
async function endOfFull(segments: readonly { readonly file: string }[]): Promise<End | undefined> {
  for (const { file } of segments.toReversed()) {
    await using opened = await openIfThere(file, { readOnly: true })
    const end = opened && (await endOf(opened))
    if (end) return end
  }
  return undefined
}

/**
 * The number under which a file without a whole block is kept: 0 for records of a former version. Undefined if nothing but the beginning of
 * a header was written to it.
 */
async function numberOf(path: string, file: FileHandle): Promise<number | undefined> {
  const { size } = await file.stat()
  const text = await readText(file, 0, longestLine)
  if (size === 0 || isCutHeader(text)) return undefined
  const header = segmentHeaderOf(text)
  if (header) return size > longestLine ? header.number : undefined
  if (text.startsWith('{"eventVersion":')) return 0
  throw new OperatorError(`${path} is not an audit journal: set audit.file to another path`)
}

/** @param named the name that the file will have */
async function beforeOf(path: string, named: string): Promise<Before | undefined> {
  await using file = await openIfThere(path, { readOnly: true })
  if (file === undefined) return undefined
  const sha256 = createHash('sha256')
  let bytes = 0
  for await (const chunk of file.createReadStream({ start: 0, autoClose: false }) as AsyncIterable<Buffer>) {
    sha256.update(chunk)
    bytes += chunk.length
  }
  return { file: basename(named), bytes, sha256: sha256.digest('hex') }
}

/** The position, if a journal that ends there does not have it. A position of a former version is none. */
function beyond(position: string | undefined, end: End | undefined): string | undefined {
  const place = position === undefined ? undefined : placeOf(position)
  if (place === undefined) return undefined
  const last = end && placeOf(positionOf(end))
  return last === undefined || place.journal !== last.journal || isAfter(place, last) ? position : undefined
}

function reason(error: unknown): string {
  if (error instanceof Error && 'errno' in error) return getSystemErrorMessage(Number(error.errno)) ?? error.message
  return String(error)
}
