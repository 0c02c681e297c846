/** The files of a journal: the one that is being written, and its full segments beside it. */
import { constants } from 'node:fs'
import { type FileHandle, open, readdir } from 'node:fs/promises'
import { basename, dirname, join, parse } from 'node:path'
import { headerIn, ifThere } from './segment-bytes.ts'

export interface Segment {
  /** From 1; 0: records of a former version, which knew no blocks. Undefined: the segment that is being written, whose header tells. */
  readonly number: number | undefined
  readonly file: string
}

export interface FullSegment extends Segment {
  readonly number: number
}

const digits = 8

/** The file of a full segment: `audit.jsonl` becomes `audit-00000001.jsonl`. @param active path of the file that is written */
export function segmentFile(active: string, number: number): string {
  const { dir, name, ext } = parse(active)
  return join(dir, `${name}-${String(number).padStart(digits, '0')}${ext}`)
}

/** The index of a journal, beside it: that of `audit.jsonl` is `audit-index.db`. */
export function indexFile(active: string): string {
  const { dir, name } = parse(active)
  return join(dir, `${name}-index.db`)
}

/** The lock of a journal, beside it: that of `audit.jsonl` is `audit-lock.db`. */
export function lockFileOf(active: string): string {
  const { dir, name } = parse(active)
  return join(dir, `${name}-lock.db`)
}

/** Undefined if it is not the name of a full segment. */
function numberOf(file: string, active: string): number | undefined {
  const number = Number(/-(\d{8,15})(?:\.[^.]*)?$/.exec(file)?.[1])
  return file === basename(segmentFile(active, number)) ? number : undefined
}

/** Full segments that are there, in their order. Rejects if the folder cannot be read. */
export async function fullSegments(active: string): Promise<FullSegment[]> {
  return segmentsAmong(await readdir(dirname(active)), active)
}

/** The same, by the names of the files in the folder. */
export function segmentsAmong(names: readonly string[], active: string): FullSegment[] {
  const found = names.flatMap(name => numberOf(name, active) ?? [])
  return found.sort((one, other) => one - other).map(number => ({ number, file: segmentFile(active, number) }))
}

/** All files of a journal that are there, in their order: the last one is being written. Rejects if the folder cannot be read. */
export async function segmentsOf(active: string): Promise<Segment[]> {
  const names = await readdir(dirname(active))
  const last = names.includes(basename(active)) ? [{ number: undefined, file: active }] : []
  return [...(await fullSegments(active)), ...last]
}

/**
 * Opens a segment to read it, also while the gateway gives it its number. Resolves to undefined if there is none of that number. Rejects if
 * it cannot be read.
 */
export async function openSegment(active: string, number: number): Promise<FileHandle | undefined> {
  const full = segmentFile(active, number)
  return (await openIfThere(full)) ?? (await openActive(active, number)) ?? (await openIfThere(full))
}

async function openActive(active: string, number: number): Promise<FileHandle | undefined> {
  const file = await openIfThere(active)
  if (file === undefined) return undefined
  if ((await headerIn(file))?.number === number) return file
  await file.close()
  return undefined
}

function openIfThere(path: string): Promise<FileHandle | undefined> {
  return ifThere(open(path, constants.O_RDONLY))
}
