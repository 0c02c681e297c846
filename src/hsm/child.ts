/** Starts the processes that load a native PKCS#11 library. */
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Child, startProcess } from '../child-process.ts'
import { OperatorError } from '../errors.ts'

export type { Child } from '../child-process.ts'

/** The process entries of this folder. */
export type Entry = 'worker/worker' | 'worker/provisioner' | 'worker/truster' | 'doctor/inspector'

/**
 * The child ends when this process does, however that ends: see worker/gateway-watch.ts.
 *
 * @param argument JSON on the command line, which everyone can read: no secrets
 * @param environment the whole environment of the child, apart from the compile cache: nothing else is inherited
 * @throws OperatorError if no process can be started, for example for lack of file descriptors
 */
export function startChild(entry: Entry, argument: unknown, environment: Readonly<Record<string, string>>): Child {
  return startProcess({
    command: [
      `--import=${urlOf('worker/gateway-watch')}`,
      fileURLToPath(urlOf(entry)),
      JSON.stringify(argument),
      `${process.pid}`,
    ],
    environment,
    niceness: 5,
    description: 'process for the PKCS#11 library',
  })
}

/** URL of a module of this folder. */
function urlOf(name: string): URL {
  return new URL(`./${name}${extname(import.meta.url)}`, import.meta.url)
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
