/** What gateways on one PostgreSQL show in the end, whatever they commit and whatever fails meanwhile. */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Failure } from '../../../src/errors.ts'
import { openDatabase } from '../../../src/storage/kysely-database.ts'
import { openStorage } from '../../../src/storage/sql-storage.ts'
import { Changes, Conflict, type Noun, type Records, type Storage } from '../../../src/storage/storage.ts'
import { postgresql, type TestDatabase } from '../../postgresql.ts'
import { TcpProxy } from '../../tcp-proxy.ts'
import { runs } from '../../thorough.ts'
import { engineOf } from '../open.ts'
import { account, aGrant, aGroup, aKey, anAccessKey, anAlias, aPrincipal } from '../records.ts'

/** Milliseconds: a gateway that loses its lease has another one soon. */
const lease = 2000

interface Gateway {
  readonly name: string
  readonly proxy: TcpProxy
  readonly storage: Storage
}

let database: TestDatabase
const gateways: Gateway[] = []
beforeAll(async () => {
  database = await (await postgresql()).createDatabase()
  for (const name of ['a', 'b', 'c']) {
    const proxy = await TcpProxy.to(database)
    gateways.push({ name, proxy, storage: await open(name, proxy) })
  }
})
afterAll(async () => {
  for (const { storage, proxy } of gateways) {
    await storage.close()
    await proxy[Symbol.asyncDispose]()
  }
  await database?.drop()
})

async function open(name: string, { port }: { readonly port: number }): Promise<Storage> {
  const fleet = { run: randomUUID(), lease, clock: Date.now, elapsed: () => performance.now(), state: () => '{}' }
  const engine = engineOf({ ...database, port })
  return openStorage(await openDatabase(engine), { now: Date.now(), gateway: name, fleet })
}

const keys = [1, 2, 3].map(number => aKey(number))
const users = ['one', 'two'].map(name => aPrincipal(name))
/** All that is ever committed: keys with what belongs to them, and identities. */
const records: readonly { readonly [N in Noun]: readonly [N, Records[N]] }[Noun][] = [
  ...keys.map(key => ['keys', key] as const),
  ...keys.map(key => ['aliases', anAlias(`of-${key.id}`, keys[0]!)] as const),
  ...keys.flatMap(key => [1, 2].map(number => ['grants', aGrant(number, key)] as const)),
  ...users.map(user => ['principals', user] as const),
  ...users.map(user => ['accessKeys', anAccessKey(`AKIA${user.name.toUpperCase()}`, user)] as const),
  ['groups', aGroup('group')],
]

function found(storage: Storage, [noun, record]: (typeof records)[number]) {
  switch (noun) {
    case 'keys':
      return storage.keys.find(record.arn)
    case 'aliases':
      return storage.aliases.find(record.arn)
    case 'grants':
      return storage.grants.find(record.keyArn, record.id)
    case 'principals':
      return storage.principals.find(record.arn)
    case 'accessKeys':
      return storage.accessKeys.find(record.id)
    default:
      return storage.groups.named(account, (record as Records['groups']).name)
  }
}

/** Records, and what is found by something else than their keys. */
function shown(storage: Storage) {
  const sorted = (all: Iterable<unknown>) => [...all].map(one => JSON.stringify(one)).sort()
  return {
    records: records.map(record => found(storage, record)),
    all: sorted(storage.keys.all()),
    objects: sorted(storage.keys.objects()),
    aliases: keys.map(({ arn }) => sorted(storage.aliases.ofKey(arn))),
    grants: keys.map(({ arn }) => storage.grants.count(arn)),
    principals: sorted(storage.principals.ofAccount(account)),
    accessKeys: users.map(({ arn }) => sorted(storage.accessKeys.ofPrincipal(arn))),
    groups: sorted(storage.groups.ofAccount(account)),
  }
}

interface Change {
  readonly do: 'put' | 'remove'
  readonly record: number
  /** Of an alias. */
  readonly target: number
}
interface Fault {
  readonly do: 'cut' | 'loseLease' | 'prune' | 'wait'
}
type Step = Change | Fault

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record<Change>({
      do: fc.constantFrom('put', 'put', 'remove'),
      record: fc.nat(records.length - 1),
      target: fc.nat(keys.length - 1),
    }),
  },
  { weight: 2, arbitrary: fc.record<Fault>({ do: fc.constantFrom('cut', 'loseLease', 'prune', 'wait') }) },
)

async function take(gateway: Gateway, taken: Step): Promise<void> {
  const { name, proxy, storage } = gateway
  switch (taken.do) {
    case 'cut':
      return proxy.cut()
    case 'loseLease':
      await database.sql(`update gateways set lease_until = 0, run = 'another' where name = '${name}'`)
      return
    case 'prune':
      return tried(storage.fleet.prune(0))
    case 'wait':
      return delay(5)
    default:
      return tried(commit(storage, taken))
  }
}

async function commit(storage: Storage, { do: action, record, target }: Change): Promise<void> {
  const [noun, fresh] = records[record]!
  const present = found(storage, records[record]!)
  const changes = new Changes()
  const own = noun === 'aliases' ? { targetKeyArn: keys[target]!.arn } : {}
  if (action === 'put') changes.put(noun, { ...(present ?? fresh), ...own } as never)
  else if (present) changes.remove(noun, present as never)
  await storage.commit(changes, { eventId: randomUUID(), position: '', record: '{}' })
}

/** It may be refused, or the database be away. */
async function tried(work: Promise<unknown>): Promise<void> {
  await work.catch(error => {
    if (!(error instanceof Conflict || error instanceof Failure)) throw error
  })
}

it('gateways show in the end what the database has, row for row', async () => {
  const property = fc.asyncProperty(fc.tuple(...gateways.map(() => fc.array(step, { maxLength: 15 }))), async steps => {
    const work = gateways.map(async (gateway, index) => {
      for (const one of steps[index]!) await take(gateway, one)
    })
    await Promise.all(work)
    const opened = await open('fresh', database)
    const expected = shown(opened)
    const number = opened.fleet.applied
    await opened.close()
    for (const { storage } of gateways) {
      while (!storage.fleet.mayServe || storage.fleet.applied < number) await delay(10)
      expect(shown(storage)).toEqual(expected)
      expect(storage.fleet.applied).toBe(number)
    }
  })
  // A run begins with the records of the one before, so a part of its steps shows nothing.
  await fc.assert(property, { numRuns: runs(15), endOnFailure: true })
})
