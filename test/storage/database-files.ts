/** What tests put into database files, and find there. */
import { DatabaseSync } from 'node:sqlite'
import { expect } from 'vitest'
import { Changes, type Storage } from '../../src/storage/storage.ts'
import { account, aKey, region } from './records.ts'

/** Commits keys of these numbers, all at once. */
export async function putKeys(storage: Storage, ...numbers: number[]): Promise<void> {
  const changes = new Changes()
  for (const number of numbers) changes.put('keys', aKey(number, { policy: 'p'.repeat(2000) }))
  await storage.commit(changes)
}

/** Expects keys of these numbers, and no others. */
export async function expectOnly(storage: Storage, numbers: readonly number[]): Promise<void> {
  const keys = await storage.keys.list({ account, region, limit: 2000 })
  expect(keys.map(key => key.arn)).toEqual(numbers.map(number => aKey(number).arn))
  expect(storage.keys.objects().size).toBe(numbers.length)
}

/** Runs one statement on a database that is not open elsewhere; returns its rows. */
export function query(path: string, statement: string): Record<string, unknown>[] {
  using database = new DatabaseSync(path)
  return database
    .prepare(statement)
    .all()
    .map(row => ({ ...row }))
}
