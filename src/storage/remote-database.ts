/** A database in another thread or process. A call, such as a whole transaction, is one message. */
import { type ClonedError, RemoteObject } from '../remote-objects.ts'
import type { SqlDatabase } from './sql-database.ts'
import { Conflict, LeaseLost, OutcomeUnknown } from './storage.ts'

export class RemoteDatabase extends RemoteObject<SqlDatabase> implements SqlDatabase {
  readonly load = this.call('load')
  readonly listKeys = this.call('listKeys')
  readonly listAliases = this.call('listAliases')
  readonly listGrants = this.call('listGrants')
  readonly commit = this.call('commit')
  readonly lastChange = this.call('lastChange')
  readonly changesAfter = this.call('changesAfter')
  readonly lostEvents = this.call('lostEvents')
  readonly pruneChanges = this.call('pruneChanges')
  readonly renewLease = this.call('renewLease')
  readonly acknowledge = this.call('acknowledge')
  readonly members = this.call('members')
  readonly endLease = this.call('endLease')
  readonly takeJobLease = this.call('takeJobLease')
  readonly endJobLease = this.call('endJobLease')
  readonly removeGateway = this.call('removeGateway')
  readonly heldRecords = this.call('heldRecords')
  readonly removeRecords = this.call('removeRecords')
  readonly takeOver = this.call('takeOver')
  readonly takenFrom = this.call('takenFrom')
  readonly listJournals = this.call('listJournals')
  readonly registerJournal = this.call('registerJournal')
  readonly writeJournalHead = this.call('writeJournalHead')
  readonly writeRun = this.call('writeRun')
  readonly readAccessKeyUse = this.call('readAccessKeyUse')
  readonly writeAccessKeyUses = this.call('writeAccessKeyUses')
  readonly readKeyUse = this.call('readKeyUse')
  readonly writeKeyUses = this.call('writeKeyUses')
  readonly beginTracking = this.call('beginTracking')
  readonly loadEncryptionCounts = this.call('loadEncryptionCounts')
  readonly addEncryptionCounts = this.call('addEncryptionCounts')
  readonly endTracking = this.call('endTracking')
  readonly readClock = this.call('readClock')
  readonly writeClock = this.call('writeClock')
  readonly check = this.call('check')

  /** Nobody else has the database. */
  watch(_listener: () => void): void {}

  protected override revived(error: ClonedError): Error {
    if (error.name === 'Conflict') return new Conflict(error.message)
    if (error.name === 'LeaseLost') return new LeaseLost()
    return error.name === 'OutcomeUnknown' ? new OutcomeUnknown() : super.revived(error)
  }
}
