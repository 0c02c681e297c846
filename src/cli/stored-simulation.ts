import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decide } from '../authorization/decide.ts'
import { explain, type Reason } from '../authorization/explain.ts'
import type { Decision } from '../authorization/request.ts'
import { OperatorError } from '../errors.ts'
import { sqlite } from '../storage/engines/sqlite.ts'
import { copyDatabase } from '../storage/engines/sqlite-snapshot.ts'
import { openDatabase } from '../storage/kysely-database.ts'
import { openStorage } from '../storage/sql-storage.ts'
import type { Storage } from '../storage/storage.ts'
import { openDataFolder } from './data-folder.ts'
import type { ConfigOptions } from './options.ts'
import { printable } from './printable.ts'
import { type AskedRequest, storedRequest } from './stored-request.ts'

/** Prints what the stored policies decide, and why. */
export async function simulateStored(
  options: ConfigOptions & AskedRequest & { readonly json?: boolean | undefined },
): Promise<void> {
  const { clock } = await import('../assemble/backends.ts')
  await using opened = new AsyncDisposableStack()
  const { config } = openDataFolder(options)
  const { file } = config.storage
  if (file === undefined) throw new OperatorError('stored policies are simulated for storage in a file only')
  const storage = await openCopy(file, clock(), opened)
  const regions = Object.keys(config.regions)
  if (options.region !== undefined && !regions.includes(options.region)) {
    throw new OperatorError(`region ${options.region} is not configured: there are ${regions.join(', ')}`, {
      exitCode: 2,
    })
  }
  const { request, policies } = storedRequest(options, storage, clock(), regions[0]!)
  const decision = decide(request, policies)
  const reasons = explain(request, policies)
  const may = decision.allowed ? 'may' : 'may not'
  const heading = `${decision.outcome}: ${request.principal.arn} ${may} ${request.action} on ${request.resource}`
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ decision: decision.outcome, reasons }, null, 2)}\n`
      : `${heading}${why(decision)}\n${reasons.map(bullet).join('')}`,
  )
}

function why(decision: Decision): string {
  return decision.allowed ? '' : `, ${decision.because}`
}

function bullet({ text }: Reason): string {
  return `- ${printable(text)}\n`
}

/** A running gateway has the database locked, and a copy cannot be written by mistake. All that is needed of it is read when it is opened. */
async function openCopy(file: string, now: number, opened: AsyncDisposableStack): Promise<Storage> {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-'))
  const copy = join(folder, 'copy.db')
  try {
    copyDatabase(file, copy)
    const storage = await openStorage(await openDatabase(sqlite(copy)), { now })
    return opened.adopt(storage, storage => storage.close())
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error
    throw new OperatorError(error.message.replaceAll(copy, file), { cause: error })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
