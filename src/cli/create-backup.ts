import { randomUUID } from 'node:crypto'
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { checkUnused, contentLines, writeBackup } from '../backup/backup-file.ts'
import { encodeHeader } from '../backup/header.ts'
import { knownObjects, neededObjects } from '../backup/needed-objects.ts'
import type { BackupKey } from '../operations/administration/create-backup-key.ts'
import { dump } from '../storage/dump/dump.ts'
import { schema } from '../storage/migrations/migrate.ts'
import { lastChange } from '../storage/tables/changes.ts'
import { version } from '../version.ts'
import { openDataFolder } from './data-folder.ts'
import { administer, print, printJson, shownTime } from './identity-options.ts'
import type { ConfigOptions } from './options.ts'

/** The gateway makes the data key only: this process, which is the operator's, reads storage and writes the file. */
export async function createBackup(file: string, options: ConfigOptions & { readonly json?: boolean }): Promise<void> {
  const { clock } = await import('../assemble/backends.ts')
  const { engineName, readSnapshot } = await import('../assemble/whole-storage.ts')
  checkUnused(file)
  const { config } = openDataFolder(options)
  const id = randomUUID()
  // Before the snapshot, which must not be kept waiting. If no gateway runs, this process has opened and closed storage afterwards.
  const { dataKey, wrapped } = await administer(options, call => call<BackupKey>('CreateBackupKey', { backup: id }))
  const key = Buffer.from(dataKey, 'base64')
  const written = await readSnapshot(config.storage, async db => {
    const { number: changeNumber } = await lastChange(db)
    const time = new Date(clock()).toISOString()
    const header = {
      ...{ id, version, time, gateway: config.gateway, engine: engineName(config.storage), schema, changeNumber },
      hsms: Object.fromEntries(Object.entries(config.hsms).map(([name, { token }]) => [name, { ...token }])),
      dataKeys: [...wrapped],
    }
    await writeBackup(file, encodeHeader(header), key, contentLines(neededObjects(db), knownObjects(db), dump(db)))
    return { time, changeNumber }
  }).finally(() => key.fill(0))
  const { size } = statSync(file)
  const sealedBy = wrapped.map(({ hsm }) => hsm)
  if (options.json) return printJson({ file: resolve(file), id, ...written, schema, size, sealedBy })
  print(`Backup of ${shownTime(Date.parse(written.time))} up to change ${written.changeNumber}: ${file}, ${size} bytes`)
  print(`It can be read only with the token of ${sealedBy.join(' or ')}: back up the token, too.`)
}
