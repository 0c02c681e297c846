import { OperatorError } from '../errors.ts'
import { copy } from '../storage/dump/transfer.ts'
import { openDataFolder } from './data-folder.ts'
import { harden } from './harden.ts'
import { print, printColumns, printJson } from './identity-options.ts'

interface CopyOptions {
  readonly from: string
  readonly to: string
  readonly json?: boolean
}

/** Prints the number of rows and the digest of each table, which source and copy have in common. */
export async function copyStorage({ from, to, json }: CopyOptions): Promise<void> {
  harden()
  const { elapsed, engineOf } = await import('../assemble/whole-storage.ts')
  const [source, target] = [from, to].map(config => openDataFolder({ data: '.', config }).config.storage)
  const [present, copied] = [await engineOf(source!), await engineOf(target!, true)]
  if (present.name === copied.name) throw new OperatorError(`both configurations name ${present.name}`, { exitCode: 2 })
  const sums = await copy(present, copied, elapsed)
  const tables = [...sums].map(([table, sum]) => ({ table, ...sum }))
  if (json) return printJson({ from: present.name, to: copied.name, tables })
  printColumns(tables.map(({ table, rows, sha256 }) => [table, String(rows), sha256]))
  print(`Copied ${present.name} to ${copied.name}, and verified each table: start the gateways with ${to} only.`)
}
