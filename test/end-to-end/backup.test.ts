import { existsSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { drill } from './backup-drill.ts'

// test/soak/backup.test.ts has the same drill on PostgreSQL.
drill('SQLite', {
  prepare: async () => {},
  async lose({ folder }) {
    for (const suffix of ['', '-wal', '-shm']) {
      const database = join(folder, `strongroom.db${suffix}`)
      if (existsSync(database)) renameSync(database, `${database}.lost`)
    }
  },
})
