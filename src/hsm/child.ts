/** Starts the processes that load a native PKCS#11 library. */
import { type ChildProcess, spawn } from 'node:child_process'
import { getCompileCacheDir } from 'node:module'
import { dirname, extname } from 'node:path'
import type { Duplex, Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { OperatorError } from '../errors.ts'

/** Milliseconds to read what a child that is gone has written. */
const readTime = 500

/** The process entries of this folder. */
export type Entry = 'worker/worker' | 'worker/provisioner' | 'doctor/inspector'

export interface Child {
  readonly process: ChildProcess
  /** One end of a socket pair: no other process can reach it. The child has the other end as descriptor 3. */
  readonly socket: Duplex
  /** What the native library writes there. */
  readonly errors: Readable
  /** Resolves when the process is gone, or was never there: to a signal, an exit code or an error. */
  readonly ended: Promise<string>
}

/**
 * A core file would hold plaintexts and the PIN. Woken by a message, a child of the same priority would push the gateway, which all
 * callers wait for, off its processor.
 */
const shell = '[ "$(ulimit -Hc)" = 0 ] || ulimit -c 0; exec nice -n 5 "$@"'

/**
 * The child ends when this process does, however it does: see worker/gateway-watch.ts.
 *
 * @param argument handed over as JSON on the command line, where everyone can read it: no secrets
 * @param environment the whole environment of the child: nothing else is inherited, but for the place of compiled code
 * @throws OperatorError when no process can be started, such as out of file descriptors
 */
export function startChild(entry: Entry, argument: unknown, environment: Readonly<Record<string, string>>): Child {
  const command = [
    process.execPath,
    `--import=${urlOf('worker/gateway-watch')}`,
    fileURLToPath(urlOf(entry)),
    JSON.stringify(argument),
    `${process.pid}`,
  ]
  const child = spawned(() =>
    spawn('/bin/sh', ['-c', shell, 'sh', ...command], {
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

/** A process that the library has started may hold the other ends open. What the child has written itself is there by now, and read first. */
function closeAfterExit(child: ChildProcess, streams: readonly Readable[]): void {
  const close = () => {
    for (const stream of streams) stream.destroy()
  }
  const timer = setTimeout(() => setImmediate(close), readTime)
  child.on('close', () => clearTimeout(timer))
}

/** Out of file descriptors, spawn answers a child without streams and emits an error later; out of memory it throws. */
function spawned(start: () => ChildProcess): ChildProcess {
  let reason = 'the limit of file descriptors is reached'
  try {
    const child = start()
    if (child.stdio !== undefined) return child
    child.on('error', () => {})
  } catch (error) {
    reason = (error as Error).message
  }
  throw new OperatorError(`cannot start a process for the PKCS#11 library: ${reason}`)
}

/** Of a module of this folder. */
function urlOf(name: string): URL {
  return new URL(`./${name}${extname(import.meta.url)}`, import.meta.url)
}

/** Where this process keeps compiled code, the child does too: it starts in half the time. */
function compileCache(): { NODE_COMPILE_CACHE?: string } {
  const folder = getCompileCacheDir()
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: dirname(folder) }
}

/** What a child that runs once answers: an output, or the one line of an OperatorError. */
export type Report<T> = { readonly output: T } | { readonly mistake: string }

const reportDeadline = 30_000

/** Runs a child to its end. Rejects with an OperatorError: its own, or one that says how it died. */
export async function runChild<T>(
  entry: Entry,
  argument: unknown,
  environment: Readonly<Record<string, string>>,
): Promise<T> {
  const child = startChild(entry, argument, environment)
  child.errors.resume()
  const parts: Buffer[] = []
  child.socket.on('data', part => parts.push(part))
  child.socket.on('error', () => {})
  const timer = setTimeout(() => child.process.kill('SIGKILL'), reportDeadline)
  try {
    const end = await child.ended
    if (parts.length === 0) throw new OperatorError(diedOf(end))
  } finally {
    clearTimeout(timer)
  }
  const report = JSON.parse(Buffer.concat(parts).toString()) as Report<T>
  if ('mistake' in report) throw new OperatorError(report.mistake)
  return report.output
}

/** @param end a signal or an exit code */
export function diedOf(end: string): string {
  return `the process that loads the PKCS#11 library ended unexpectedly (${end}): check that library is right`
}
