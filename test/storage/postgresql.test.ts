import { afterAll, beforeAll } from 'vitest'
import { openDatabase } from '../../src/storage/kysely-database.ts'
import { storageContract } from '../contracts/storage.ts'
import { postgresql, type TestDatabase } from '../postgresql.ts'
import { thorough } from '../thorough.ts'
import { engineOf, openHere } from './open.ts'

/** Storage in PostgreSQL. A new database for each test would take most of the time: all tests have one, which is emptied in between. */

let database: TestDatabase
beforeAll(async () => {
  database = await (await postgresql()).createDatabase()
  await (await openDatabase(engineOf(database))).close()
  await database.sql(keepRows)
})
afterAll(() => database.drop())

/** As they are in a new database. */
const keepRows = `create schema kept; do $$ declare name text; begin
  for name in select tablename from pg_tables where schemaname = 'public' loop
    execute format('create table kept.%1$I as table public.%1$I', name);
  end loop;
end $$`
const restoreRows = `begin; set constraints all deferred; do $$ declare name text; begin
  for name in select tablename from pg_tables where schemaname = 'public' loop
    execute format('delete from public.%1$I; insert into public.%1$I table kept.%1$I', name);
  end loop;
end $$; commit`

storageContract(
  'PostgreSQL',
  true,
  () => ({
    open: () => openHere(engineOf(database)),
    dispose: async () => {
      await database.sql(restoreRows)
    },
  }),
  thorough ? 25 : 3,
)
