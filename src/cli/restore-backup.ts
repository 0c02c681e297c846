import { gatewayRecord } from '../audit/audit.ts'
import { type BackupFile, type Objects, openBackup } from '../backup/backup-file.ts'
import { compareWithTokens } from '../backup/comparison.ts'
import type { Header } from '../backup/header.ts'
import type { Config } from '../config.ts'
import { Failure, OperatorError } from '../errors.ts'
import type { Hsms } from '../services.ts'
import { markRestored } from '../storage/dump/restored.ts'
import { fill } from '../storage/dump/transfer.ts'
import { schema } from '../storage/migrations/migrate.ts'
import { unwrapBackupKey } from '../vault/backup-keys.ts'
import { openDataFolder } from './data-folder.ts'
import { harden } from './harden.ts'
import { print, printJson, shownTime } from './identity-options.ts'
import type { ConfigOptions } from './options.ts'
import { presentObjects } from './present-objects.ts'
import { type Report, reportLines } from './restore-report.ts'

interface RestoreOptions extends ConfigOptions {
  readonly dryRun?: boolean
  readonly allowMissing?: boolean
  readonly encryptions?: number
  readonly json?: boolean
}

/** Encryptions per second that are assumed of each key since the backup. */
const assumedRate = 1000

/** Prints what differs between backup and HSMs, and sets the exit code; without `dryRun`, fills storage. */
export async function restoreBackup(file: string, options: RestoreOptions): Promise<void> {
  harden()
  const { connectHsms } = await import('../assemble/backends.ts')
  const { config } = openDataFolder(options)
  const backup = openBackup(file)
  checkSchema(file, backup.header)
  await using opened = new AsyncDisposableStack()
  const hsms = await connectHsms(config, { systemKeys: { find: () => undefined } }, opened)
  const key = await dataKeyOf(backup.header, hsms)
  opened.defer(() => void key.fill(0))
  const objects = await verified(backup, key)
  const comparison = await compareWithTokens(objects.needed, objects.known, hsms)
  const present = options.dryRun ? await presentObjects(config) : undefined
  const report: Report = { ...comparison, present, needed: objects.needed }
  const isIncomplete = comparison.missing.length + comparison.faulty.length > 0
  const lines = reportLines(backup.header, report)
  if (options.dryRun) {
    if (options.json) printJson({ header: backup.header, ...comparison, present: present && 'compared' })
    else for (const line of lines) print(line)
    process.exitCode = isIncomplete ? 1 : comparison.unknown.length > 0 ? 3 : 0
    return
  }
  if (isIncomplete && !options.allowMissing) {
    for (const line of lines) print(line)
    throw new OperatorError(
      'HSM objects are missing or faulty: restore the token first, or add --allow-missing to restore without them',
    )
  }
  const restored = await write(backup, key, config, options)
  if (options.json) return printJson({ header: backup.header, ...comparison, ...restored })
  for (const line of lines) print(line)
  print(`Restored ${restored.rows} rows, and verified each table. Scheduled deletions and rotations are paused.`)
}

function checkSchema(file: string, header: Header): void {
  if (header.schema <= schema) return
  throw new OperatorError(
    `${file} was written by Strongroom ${header.version} (schema ${header.schema}, this version supports ${schema}): upgrade`,
  )
}

/** Throws OperatorError if no HSM can unwrap it. */
async function dataKeyOf({ id, dataKeys }: Header, hsms: Hsms): Promise<Uint8Array> {
  const reasons: string[] = []
  for (const { object, blob, hsm: by } of dataKeys) {
    for (const hsm of hsms.regional) {
      try {
        const key = await unwrapBackupKey(id, { object, blob: Buffer.from(blob, 'base64') }, hsm, hsms)
        if (key) return key
        reasons.push(`the HSM ${hsm.name} has the seal key of ${by}, but did not wrap the key of this backup`)
      } catch (thrown) {
        const { code } = Failure.from(thrown)
        const why =
          code === 'InvalidState' ? `does not have the seal key of ${by} (CKA_ID ${object})` : `fails: ${code}`
        reasons.push(`the HSM ${hsm.name} ${why}`)
      }
    }
  }
  throw new OperatorError(`the backup cannot be decrypted: ${reasons.join('; ')}`)
}

/** Reads all of it, so that nothing is done with a backup that is damaged. */
async function verified(backup: BackupFile, key: Uint8Array): Promise<Objects> {
  const content = backup.content(key)
  const objects = await content.objects()
  for await (const _ of content.dump());
  return objects
}

async function write(backup: BackupFile, key: Uint8Array, config: Config, options: RestoreOptions) {
  const { clock } = await import('../assemble/backends.ts')
  const { engineOf } = await import('../assemble/whole-storage.ts')
  const now = clock()
  const { id, time, version, changeNumber, ...header } = backup.header
  const age = Math.max(0, now - Date.parse(time)) / 1000
  const encryptions = options.encryptions ?? Math.ceil(age * assumedRate)
  const details = {
    backup: id,
    backupTime: time,
    backupVersion: version,
    changeNumber,
    assumedEncryptions: encryptions,
  }
  const event = gatewayRecord('RestoreStorage', details, now)
  // Of no journal: the first gateway to start writes it.
  const record = { eventId: event.eventID, position: '', record: JSON.stringify(event) }
  const sums = await fill(await engineOf(config.storage, true), {
    schema: header.schema,
    async *dump() {
      const content = backup.content(key)
      await content.objects()
      yield* content.dump()
    },
    finish: db => markRestored(db, { now, encryptions, record }),
  })
  const rows = [...sums.values()].reduce((total, { rows }) => total + rows, 0)
  return { rows, encryptions, restoredAt: shownTime(now) }
}
