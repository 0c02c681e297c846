/** Loaded into a gateway by auditing.ts: what it writes to its audit file goes to /dev/null. */
import sync from 'node:fs'
import fs, { type FileHandle } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'

const path = process.env.NULL_JOURNAL!
const { open, stat } = fs
const { statSync } = sync
let written = 0

async function divert(file: FileHandle): Promise<FileHandle> {
  const nowhere = await open('/dev/null', 'w')
  const write = async (bytes: Uint8Array, offset: number) => {
    const result = await nowhere.write(bytes, offset)
    written += result.bytesWritten
    return result
  }
  return Object.assign(file, { write })
}

function withWritten<T extends { readonly size: number } | undefined>(name: string, stats: T): T {
  return name === path && stats ? Object.assign(stats, { size: stats.size + written }) : stats
}

Object.assign(fs, {
  async open(...args: Parameters<typeof open>) {
    const file = await open(...args)
    return args[0] === path ? divert(file) : file
  },
  stat: async (name: string) => withWritten(name, await stat(name)),
})
Object.assign(sync, { statSync: (name: string, ...rest: []) => withWritten(name, statSync(name, ...rest)) })
syncBuiltinESMExports()
