import { type Format, formats } from './audit-export-formats.ts'
import { allRecords, type FilterOptions, withRecords } from './audit-records.ts'
import { Output } from './output.ts'

export interface ExportOptions extends FilterOptions {
  readonly format: keyof typeof formats
}

/** Writes the records that fit, in the order of the journal, of several by time, in a format of other tools. */
export async function auditExport(files: readonly string[], options: ExportOptions): Promise<void> {
  const { begin, separator, end, text }: Format = formats[options.format]
  const output = new Output()
  let isOpen = true
  await withRecords(files, options, async journals => {
    let before = begin
    for await (const found of allRecords(journals)) {
      for (const record of found) {
        isOpen = await output.write(before + text(record))
        if (!isOpen) return
        before = separator
      }
    }
    if (before === begin && separator !== before) await output.write(begin)
    await output.write(end)
  })
  await output.flush()
}
