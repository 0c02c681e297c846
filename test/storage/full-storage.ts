/** A storage with records of every kind, and its dump. */
import { dump } from '../../src/storage/dump/dump.ts'
import type { Engine } from '../../src/storage/engines/engine.ts'
import { sqlite } from '../../src/storage/engines/sqlite.ts'
import { openDatabase } from '../../src/storage/kysely-database.ts'
import { openStorage } from '../../src/storage/sql-storage.ts'
import { Changes, type Noun, type Records } from '../../src/storage/storage.ts'
import type { Database } from '../../src/storage/tables/database.ts'
import {
  aCustomKeyStore,
  aDestruction,
  aGrant,
  aGroup,
  aKey,
  aMaterial,
  anAccessKey,
  anAccount,
  anAlias,
  anExternalKeyStore,
  anObject,
  anOidcProvider,
  anXksKey,
  anXksPrefix,
  aPolicy,
  aPrincipal,
  aRole,
  aService,
  aSpareKey,
  aSystemKey,
  aWrappingKey,
} from './records.ts'

export async function linesOf(engine: Engine): Promise<string[]> {
  const connections = engine.connect<Database>()
  try {
    return await connections.read(async db => {
      const lines: string[] = []
      for await (const some of dump(db)) lines.push(...some)
      return lines
    })
  } finally {
    await connections.close()
  }
}

/** With every kind of record, and more keys than are read at once. */
export async function fullStorage(path: string): Promise<void> {
  const storage = await openStorage(await openDatabase(sqlite(path, { create: true, fleet: true })), {
    now: 1,
    gateway: 'first',
  })
  const changes = new Changes()
  const put = <N extends Noun>(noun: N, ...records: Records[N][]) => records.map(record => changes.put(noun, record))
  const key = aKey(1, { description: 'ключ 🔑 "quoted"\n\0', tags: [{ TagKey: 'a', TagValue: 'b' }] })
  const user = aPrincipal('user')
  const prefix = anXksPrefix('prefix')
  const bytes = new Uint8Array([0, 1, 255])
  put('keys', key, ...Array.from({ length: 1100 }, (_, index) => aKey(index + 2)))
  put(
    'keys',
    aKey(9000, { materials: [aMaterial(9000, { publicKey: bytes }), aMaterial(9001, { checkValue: bytes })] }),
  )
  put('aliases', anAlias('one', key))
  put('grants', aGrant(1, key))
  put('accounts', anAccount('111122223333'))
  put('managedPolicies', aPolicy('policy', '{}'))
  put('groups', aGroup('group'))
  put('oidcProviders', anOidcProvider('host.example'))
  put('principals', user, aRole('role'))
  put('services', aService('service', user))
  put('accessKeys', anAccessKey('AKIAFIRST', user))
  put('systemKeys', aSystemKey('seal', aMaterial(9100)))
  put('spareKeys', aSpareKey(anObject(9200, { publicKey: bytes })))
  put('wrappingKeys', aWrappingKey(9300, key))
  put('customKeyStores', aCustomKeyStore(1), anExternalKeyStore(2))
  put('destructions', aDestruction(anObject(9400), key))
  put('xksPrefixes', prefix)
  put('xksKeys', anXksKey(prefix, 'external'))
  await storage.commit(changes, { eventId: 'event', position: 'somewhere', record: '{}' })
  await storage.encryptions.count(aMaterial(9100).id)
  await storage.close()
}
