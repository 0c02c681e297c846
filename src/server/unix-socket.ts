import cluster from 'node:cluster'
import { chmodSync, closeSync, lstatSync, openSync, unlinkSync } from 'node:fs'
import { connect, type Server } from 'node:net'
import { basename, dirname } from 'node:path'
import { listenError } from './listen-error.ts'

/** Bytes of a path in a socket address (unix(7): 108 with the terminating zero). */
const longestPath = 107

/**
 * Listens on a Unix socket that only its owner can connect to. Replaces the socket of a process that is gone; rejects with EADDRINUSE if one
 * still accepts connections, and with ENOTSOCK for a file of another kind.
 */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  // Of several processes that share a socket, the primary one has claimed it, and creates it.
  if (!cluster.isWorker) await makeWay(path)
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

export interface ClaimedSocket {
  /** The same file by a path that fits a socket address, for as long as this process lives. */
  readonly path: string
  close(): void
}

/**
 * For processes that share a Unix socket, which node:cluster creates in this process: its umask must let only the owner connect. Rejects with
 * OperatorError if another process accepts connections there, or if it is a file of another kind.
 */
export async function claimSocket(path: string): Promise<ClaimedSocket> {
  try {
    await makeWay(path)
  } catch (error) {
    throw listenError(error as NodeJS.ErrnoException, path)
  }
  if (fits(path)) return { path, close() {} }
  const folder = openSync(dirname(path), 'r')
  return { path: `/proc/${process.pid}/fd/${folder}/${basename(path)}`, close: () => closeSync(folder) }
}

async function makeWay(path: string): Promise<void> {
  if (await isAccepting(path)) throw Object.assign(new Error(`${path} is in use`), { code: 'EADDRINUSE' })
  unlinkSocket(path)
}

/** Whether a process listens there. */
export function isAccepting(path: string): Promise<boolean> {
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
  if (fits(path)) return call(path)
  const folder = openSync(dirname(path), 'r')
  try {
    return await call(`/proc/self/fd/${folder}/${basename(path)}`)
  } finally {
    closeSync(folder)
  }
}

function fits(path: string): boolean {
  return Buffer.byteLength(path) <= longestPath
}

/** Leaves anything else alone: the configuration may name a file by mistake. */
function unlinkSocket(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isSocket()) throw Object.assign(new Error(`${path} is not a socket`), { code: 'ENOTSOCK' })
  unlinkSync(path)
}
