/** Starts processes of the gateway's own code. */
import { type ChildProcess, spawn } from 'node:child_process'
import { getCompileCacheDir } from 'node:module'
import { dirname } from 'node:path'
import type { Duplex, Readable } from 'node:stream'
import { OperatorError } from './errors.ts'

/** Milliseconds to read the output of a child that has ended. */
const readTime = 500

export interface Child {
  readonly process: ChildProcess
  /** One end of a socket pair: no other process can reach it. The child has the other end as descriptor 3. */
  readonly socket: Duplex
  /** Standard error. */
  readonly errors: Readable
  /** Resolves when the process has ended or could not start: to a signal, an exit code or an error. */
  readonly ended: Promise<string>
}

export interface ChildOptions {
  /** Of node: its own options, the entry, and arguments. Everyone on the machine can read them: no secrets. */
  readonly command: readonly string[]
  /** The whole environment of the child, apart from the compile cache: nothing else is inherited. */
  readonly environment: Readonly<Record<string, string>>
  /**
   * How much lower the priority is (nice(1)). A child of the same priority, woken by a message, would preempt the gateway, which all callers
   * wait for.
   */
  readonly niceness: number
  /** For the error: such as `process for the PKCS#11 library`. */
  readonly description: string
}

/** A core file would contain plaintexts and secrets. */
const shell = '[ "$(ulimit -Hc)" = 0 ] || ulimit -c 0; exec nice -n "$0" "$@"'

/** @throws OperatorError if no process can be started, for example for lack of file descriptors */
export function startProcess({ command, environment, niceness, description }: ChildOptions): Child {
  const child = spawned(description, () =>
    spawn('/bin/sh', ['-c', shell, `${niceness}`, process.execPath, ...command], {
      env: { ...compileCache(), ...environment },
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    }),
  )
  const { promise: ended, resolve } = Promise.withResolvers<string>()
  child.on('error', error => resolve(error.message))
  child.on('close', (code, signal) => resolve(signal ?? `exit code ${code}`))
  const [socket, errors] = [child.stdio[3] as Duplex, child.stderr as Readable]
  child.on('exit', () => closeAfterExit(child, [socket, errors]))
  return { process: child, socket, errors, ended }
}

/** A process that the child started may keep the other ends open. The child's own output has arrived by now, and is read first. */
function closeAfterExit(child: ChildProcess, streams: readonly Readable[]): void {
  const close = () => {
    for (const stream of streams) stream.destroy()
  }
  const timer = setTimeout(() => setImmediate(close), readTime)
  child.on('close', () => clearTimeout(timer))
}

/** Without file descriptors, spawn returns a child without streams and emits an error later; without memory it throws. */
function spawned(description: string, start: () => ChildProcess): ChildProcess {
  let reason = 'the limit of file descriptors is reached'
  try {
    const child = start()
    if (child.stdio !== undefined) return child
    child.on('error', () => {})
  } catch (error) {
    reason = (error as Error).message
  }
  throw new OperatorError(`cannot start a ${description}: ${reason}`)
}

/** The child uses the compile cache of this process: it starts in half the time. */
function compileCache(): { NODE_COMPILE_CACHE?: string } {
  const folder = getCompileCacheDir()
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: dirname(folder) }
}
