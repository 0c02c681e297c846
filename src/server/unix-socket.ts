import { chmodSync, closeSync, lstatSync, openSync, unlinkSync } from 'node:fs'
import { connect, type Server } from 'node:net'
import { basename, dirname } from 'node:path'

/** Bytes of a path in a socket address (unix(7): 108 with the terminating zero). */
const longestPath = 107

/**
 * Listens on a Unix socket that only its owner can connect to. Replaces the socket of a process that is gone; rejects with EADDRINUSE if one
 * still accepts connections, and with ENOTSOCK for a file of another kind.
 */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  if (await isAccepting(path)) throw Object.assign(new Error(`${path} is in use`), { code: 'EADDRINUSE' })
  unlinkSocket(path)
  // The file is created with the mode that the umask leaves: nobody else may connect before it is changed.
  const former = process.umask(0o177)
  try {
    await withShortPath(path, short => {
      return new Promise<void>((resolve, reject) => server.once('error', reject).listen({ path: short }, resolve))
    })
  } finally {
    process.umask(former)
  }
  chmodSync(path, 0o600)
}

function isAccepting(path: string): Promise<boolean> {
  return withShortPath(path, short => {
    return new Promise(resolve => {
      const socket = connect({ path: short }, () => {
        socket.destroy()
        resolve(true)
      }).on('error', () => resolve(false))
    })
  })
}

/** Calls with a path that fits a socket address: a long one goes through a descriptor of its folder. */
export async function withShortPath<T>(path: string, call: (path: string) => Promise<T>): Promise<T> {
  if (Buffer.byteLength(path) <= longestPath) return call(path)
  const folder = openSync(dirname(path), 'r')
  try {
    return await call(`/proc/self/fd/${folder}/${basename(path)}`)
  } finally {
    closeSync(folder)
  }
}

/** Leaves anything else alone: the configuration may name a file by mistake. */
function unlinkSocket(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isSocket()) throw Object.assign(new Error(`${path} is not a socket`), { code: 'ENOTSOCK' })
  unlinkSync(path)
}
