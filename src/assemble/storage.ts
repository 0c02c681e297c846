/** The database of the configuration. */
import { readFileSync } from 'node:fs'
import { type PostgresConfig, passwordOf, type StorageConfig } from '../config/storage.ts'
import { OperatorError } from '../errors.ts'
import type { Engine } from '../storage/engines/engine.ts'
import type { PostgresqlOptions } from '../storage/engines/postgresql/session.ts'
import { openDatabase } from '../storage/kysely-database.ts'
import type { SqlDatabase } from '../storage/sql-database.ts'
import { openInThread } from '../storage/threaded-database.ts'

/** Throws OperatorError. @param create whether storage may be missing yet */
export async function openSqlDatabase(
  { file, postgres }: StorageConfig,
  create = false,
  onReach?: PostgresqlOptions['onReach'],
): Promise<SqlDatabase> {
  if (postgres === undefined) return openInThread({ path: file!, create })
  return openDatabase(await postgresqlEngine(postgres, create, onReach))
}

/** The driver is loaded by those who need it. */
export async function postgresqlEngine(
  postgres: PostgresConfig,
  create: boolean,
  onReach?: PostgresqlOptions['onReach'],
): Promise<Engine> {
  const { postgresql } = await import('../storage/engines/postgresql/postgresql.ts')
  return postgresql({ ...sessionOptions(postgres), onReach }, { create })
}

/** For messages. Never a password. */
export function storageName({ file, postgres }: StorageConfig): string {
  return file ?? `${postgres!.user}@${postgres!.host}:${postgres!.port}/${postgres!.database}`
}

/** Passwords and certificates are read again for each session, so they can be replaced while the gateway runs. */
function sessionOptions(postgres: PostgresConfig): PostgresqlOptions {
  const { tls, ...settings } = postgres
  return {
    ...settings,
    password: () => passwordOf(postgres),
    tls:
      tls === undefined || tls.mode === 'off'
        ? undefined
        : {
            verifyHost: tls.mode === 'verify-full',
            files: () => ({ ca: read(tls.caFile), cert: read(tls.certificateFile), key: read(tls.keyFile) }),
          },
  }
}

function read(file: string | undefined): Buffer | undefined {
  if (file === undefined) return undefined
  try {
    return readFileSync(file)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new OperatorError(`cannot read ${file}, which storage needs: ${code}`, { cause: error })
  }
}
