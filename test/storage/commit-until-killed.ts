/**
 * Commits pairs of records to the storage named on the command line, and prints the number of each pair once it is in, and five
 * encryptions under the material of the key are counted.
 */
import { writeSync } from 'node:fs'
import { Changes } from '../../src/storage/storage.ts'
import { openFile } from './open.ts'
import { aKey, aMaterial, anAlias } from './records.ts'

const storage = await openFile(process.argv[2]!, { create: true, encryptionSlack: 100 })
let key = storage.keys.find(aKey(1).arn) ?? aKey(1)
let alias = storage.aliases.find(anAlias('one', key).arn) ?? anAlias('one', key)

for (let number = key.revision + 1; ; number++) {
  const changes = new Changes()
  changes.put('keys', { ...key, description: `${number}` })
  changes.put('aliases', { ...alias, lastUpdatedDate: number })
  await storage.commit(changes, { eventId: `event-${number}`, position: '', record: '{}' })
  await Promise.all([1, 2, 3, 4, 5].map(() => storage.encryptions.count(aMaterial(1).id)))
  writeSync(1, `${number}\n`)
  key = storage.keys.find(key.arn)!
  alias = storage.aliases.find(alias.arn)!
}
