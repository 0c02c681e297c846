import { beforeEach, expect, it } from 'vitest'
import { sqlite } from '../../src/storage/engines/sqlite.ts'
import { openDatabase } from '../../src/storage/kysely-database.ts'
import { LastUses } from '../../src/storage/last-uses.ts'
import { openStorage } from '../../src/storage/sql-storage.ts'
import { Changes } from '../../src/storage/storage.ts'
import { aKey, anAccessKey, aPrincipal } from './records.ts'

interface Use {
  readonly of: string
  readonly usedAt: number
}

let written: (readonly Use[])[]
let onWrite: () => void
let uses: LastUses<Use>
beforeEach(() => {
  written = []
  onWrite = () => {}
  uses = new LastUses(
    ({ of }) => of,
    async batch => {
      onWrite()
      written.push(batch)
    },
  )
})

it('writes the last use of each once', async () => {
  uses.record({ of: 'first', usedAt: 1 })
  uses.record({ of: 'second', usedAt: 2 })
  uses.record({ of: 'first', usedAt: 3 })
  await uses.write()
  await uses.write()
  expect(written).toEqual([
    [
      { of: 'first', usedAt: 3 },
      { of: 'second', usedAt: 2 },
    ],
  ])
})

it('finds a use until it is written, and that of another gateway if it is later', async () => {
  const stored: { use?: Use } = {}
  const latest = () => uses.latest('first', async () => stored.use)
  uses.record({ of: 'first', usedAt: 2 })
  expect(await latest()).toEqual({ of: 'first', usedAt: 2 })
  stored.use = { of: 'first', usedAt: 1 }
  expect(await latest()).toEqual({ of: 'first', usedAt: 2 })
  stored.use = { of: 'first', usedAt: 3 }
  expect(await latest()).toEqual({ of: 'first', usedAt: 3 })
  stored.use = { of: 'first', usedAt: 1 }
  const whileWriting = Promise.withResolvers<Use | undefined>()
  onWrite = () => void latest().then(whileWriting.resolve)
  await uses.write()
  expect(await whileWriting.promise).toEqual({ of: 'first', usedAt: 2 })
  stored.use = { of: 'first', usedAt: 2 }
  expect(await latest()).toBe(stored.use)
  expect(await uses.latest('other', async () => undefined)).toBeUndefined()
})

it('keeps what could not be written, but for what is newer', async () => {
  uses.record({ of: 'first', usedAt: 1 })
  uses.record({ of: 'second', usedAt: 2 })
  onWrite = () => {
    uses.record({ of: 'second', usedAt: 3 })
    throw new Error('the disk is full')
  }
  await expect(uses.write()).rejects.toThrow('the disk is full')
  onWrite = () => {}
  await uses.write()
  expect(written).toEqual([
    [
      { of: 'first', usedAt: 1 },
      { of: 'second', usedAt: 3 },
    ],
  ])
})

it('writes what is recorded during a write after it', async () => {
  uses.record({ of: 'first', usedAt: 1 })
  onWrite = () => {
    onWrite = () => {}
    uses.record({ of: 'first', usedAt: 2 })
  }
  await Promise.all([uses.write(), uses.write().then(() => uses.write())])
  expect(written).toEqual([[{ of: 'first', usedAt: 1 }], [{ of: 'first', usedAt: 2 }]])
})

it('does not replace a later use that another gateway has written', async () => {
  const database = await openDatabase(sqlite(':memory:', { create: true, fleet: true }))
  const [one, other] = await Promise.all(['one', 'other'].map(gateway => openStorage(database, { now: 0, gateway })))
  const key = aKey(1)
  const changes = new Changes()
  changes.put('keys', key)
  changes.put('principals', aPrincipal('user'))
  changes.put('accessKeys', anAccessKey('AKIA1', aPrincipal('user')))
  await one!.commit(changes)
  const use = { keyArn: key.arn, operation: 'Encrypt', eventId: 'e', requestId: 'r' } as const
  const access = { accessKeyId: 'AKIA1', region: 'eu-central-1', service: 'kms', sourceAddress: '::1' }
  for (const [storage, usedAt] of [
    [one!, 5],
    [other!, 4],
    [one!, 3],
  ] as const) {
    storage.keys.recordUse({ ...use, usedAt })
    storage.accessKeys.recordUse({ ...access, usedAt })
    await storage.writeUses()
    expect(await one!.keys.lastUse(key.arn)).toMatchObject({ usedAt: 5 })
    expect(await other!.accessKeys.lastUse('AKIA1')).toMatchObject({ usedAt: 5 })
  }
  await database.close()
})
