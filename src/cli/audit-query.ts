import { allRecords, type FilterOptions, jsonLine, recordLine, withRecords } from './audit-records.ts'
import { Output } from './output.ts'

export interface QueryOptions extends FilterOptions {
  readonly limit?: number
  readonly json?: boolean
}

/** Prints the records that fit, in the order of the journal, of several by time. */
export async function auditQuery(files: readonly string[], options: QueryOptions): Promise<void> {
  const shown = options.json ? jsonLine : recordLine
  const output = new Output()
  let rest = options.limit ?? Number.POSITIVE_INFINITY
  await withRecords(files, options, async journals => {
    for await (const found of allRecords(journals)) {
      for (const record of found) {
        if (!(await output.write(shown(record)))) return
        rest--
        if (rest === 0) return
      }
    }
  })
  await output.flush()
}
