import type { Finding } from '../audit/verify/finding.ts'
import { printable } from './printable.ts'

/** A finding in one line, without its newline. */
export function lineOf({ file, offset, block, record, message }: Finding): string {
  const places = [
    offset !== undefined && `byte ${offset}`,
    block !== undefined && `block ${block}`,
    record !== undefined && `record ${record}`,
  ].filter(place => place !== false)
  return printable([file, ...(places.length > 0 ? [places.join(', ')] : []), message].join(': '))
}
