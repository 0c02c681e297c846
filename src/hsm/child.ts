/** Starts the processes that load a native PKCS#11 library. */
import { type ChildProcess, spawn } from 'node:child_process'
import { getCompileCacheDir } from 'node:module'
import { dirname, extname } from 'node:path'
import type { Duplex, Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { OperatorError } from '../errors.ts'

/** Milliseconds to read the output of a child that has ended. */
const readTime = 500

/** The process entries of this folder. */
export type Entry = 'worker/worker' | 'worker/provisioner' | 'doctor/inspector'

export interface Child {
  readonly process: ChildProcess
  /** One end of a socket pair: no other process can reach it. The child has the other end as descriptor 3. */
  readonly socket: Duplex
  /** Standard error, which native libraries write to. */
  readonly errors: Readable
  /** Resolves when the process has ended or could not start: to a signal, an exit code or an error. */
  readonly ended: Promise<string>
}

/**
 * A core file would contain plaintexts and the PIN. A child of the same priority, woken by a message, would preempt the gateway, which all
 * callers wait for.
 */
const shell = '[ "$(ulimit -Hc)" = 0 ] || ulimit -c 0; exec nice -n 5 "$@"'

/**
 * The child ends when this process does, however that ends: see worker/gateway-watch.ts.
 *
 * @param argument JSON on the command line, which everyone can read: no secrets
 * @param environment the whole environment of the child, apart from the compile cache: nothing else is inherited
 * @throws OperatorError if no process can be started, for example for lack of file descriptors
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

/** A process that the library started may keep the other ends open. The child's own output has arrived by now, and is read first. */
function closeAfterExit(child: ChildProcess, streams: readonly Readable[]): void {
  const close = () => {
    for (const stream of streams) stream.destroy()
  }
  const timer = setTimeout(() => setImmediate(close), readTime)
  child.on('close', () => clearTimeout(timer))
}

/** Without file descriptors, spawn returns a child without streams and emits an error later; without memory it throws. */
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

/** URL of a module of this folder. */
function urlOf(name: string): URL {
  return new URL(`./${name}${extname(import.meta.url)}`, import.meta.url)
}

/** The child uses the compile cache of this process: it starts in half the time. */
function compileCache(): { NODE_COMPILE_CACHE?: string } {
  const folder = getCompileCacheDir()
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: dirname(folder) }
}

/** The result of a child that runs once: an output, or the line of an OperatorError. */
export type Report<T> = { readonly output: T } | { readonly mistake: string }

const reportTimeout = 30_000

/** Runs a child to its end. Rejects with its OperatorError, or with one that says how it ended. */
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
  const timer = setTimeout(() => child.process.kill('SIGKILL'), reportTimeout)
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
