/** An SQLite database in a thread of its own. A call, such as a whole transaction, is one message. */
import { extname } from 'node:path'
import { type ClonedError, ThreadedObject } from '../threads.ts'
import type { SqlDatabase } from './sql-database.ts'
import { Conflict } from './storage.ts'

/** Start parameters of the thread. */
export interface ThreadData {
  readonly path: string
  readonly create: boolean
}

/** The thread holds only rows in transit: a small young generation keeps it small. */
const resourceLimits = { maxYoungGenerationSizeMb: 4 }

/**
 * Resolves once the database is readable and writable. Throws OperatorError. @param data path of the file, and whether it may be created
 */
export async function openInThread(data: ThreadData): Promise<SqlDatabase> {
  const thread = new DatabaseThread(data)
  await thread.opened
  return thread
}

class DatabaseThread extends ThreadedObject<SqlDatabase> implements SqlDatabase {
  constructor(data: ThreadData) {
    super(new URL(`./database-thread${extname(import.meta.url)}`, import.meta.url), data, resourceLimits)
  }

  readonly load = this.call('load')
  readonly listKeys = this.call('listKeys')
  readonly listAliases = this.call('listAliases')
  readonly listGrants = this.call('listGrants')
  readonly commit = this.call('commit')
  readonly lastChange = this.call('lastChange')
  readonly changesAfter = this.call('changesAfter')
  readonly pruneChanges = this.call('pruneChanges')
  readonly renewLease = this.call('renewLease')
  readonly acknowledge = this.call('acknowledge')
  readonly members = this.call('members')
  readonly endLease = this.call('endLease')
  readonly heldRecords = this.call('heldRecords')
  readonly removeRecords = this.call('removeRecords')
  readonly readPositions = this.call('readPositions')
  readonly readAccessKeyUse = this.call('readAccessKeyUse')
  readonly writeAccessKeyUses = this.call('writeAccessKeyUses')
  readonly readKeyUse = this.call('readKeyUse')
  readonly writeKeyUses = this.call('writeKeyUses')
  readonly beginTracking = this.call('beginTracking')
  readonly loadEncryptionCounts = this.call('loadEncryptionCounts')
  readonly writeEncryptionCounts = this.call('writeEncryptionCounts')
  readonly endTracking = this.call('endTracking')
  readonly readClock = this.call('readClock')
  readonly writeClock = this.call('writeClock')
  readonly readLastRun = this.call('readLastRun')
  readonly writeLastRun = this.call('writeLastRun')
  readonly check = this.call('check')

  /** Nobody else has the file. */
  watch(): void {}

  protected override revived(error: ClonedError): Error {
    return error.name === 'Conflict' ? new Conflict(error.message) : super.revived(error)
  }
}
