/** Prevents core dumps, removes unneeded secrets from the environment, and sets options of Node.js that must be there at its start. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/**
 * With 0 no core file is written, but the core is still piped to a program in kernel.core_pattern; with 1 it is not (core(5), and
 * coredump.c of the kernel, where 1 marks a crash of the handler itself).
 */
const [noFile, noCore] = ['0', '1']

/** Lowers the limit, then runs the command. `ulimit` counts blocks: 1 byte is 0 blocks. */
const lowered = 'set -e; [ "$(ulimit -c)" = 0 ] || ulimit -c 0; exec "$@"'

interface Hardened {
  /** Environment variables to remove. */
  readonly unwanted?: readonly string[]
  /** Of Node.js, as `--name=value`. One that the operator has set stays as it is. */
  readonly nodeOptions?: readonly string[]
}

/**
 * Disables core dumps of this process and its children, before it has secrets. If `prlimit` is missing, variables must be removed, which
 * could still be read in /proc, or an option is missing, the process re-executes itself.
 */
export function harden({ unwanted = [], nodeOptions = [] }: Hardened = {}): void {
  if (coreLimit() !== noCore) spawnSync('prlimit', ['--pid', String(process.pid), '--core=1:1'])
  const environment = Object.entries(process.env).filter(([name]) => !unwanted.includes(name))
  const isExposed = environment.length < Object.keys(process.env).length
  const missing = nodeOptions.filter(option => !isSet(option))
  if (isExposed || missing.length > 0 || ![noFile, noCore, undefined].includes(coreLimit())) {
    const command = [process.execPath, ...process.execArgv, ...missing, ...process.argv.slice(1)]
    process.execve!('/bin/sh', ['sh', '-c', lowered, 'sh', ...command], Object.fromEntries(environment))
  }
}

/** Whether the process has an option, with whatever value. V8 takes underscores, too. */
function isSet(option: string): boolean {
  const [name] = option.split('=') as [string]
  return [...process.execArgv, process.env.NODE_OPTIONS ?? ''].some(given => given.replaceAll('_', '-').includes(name))
}

/** The soft limit in bytes, or `unlimited`; undefined if the system does not report it, as on macOS, which writes no cores by default. */
function coreLimit(): string | undefined {
  try {
    return /^Max core file size +(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
  } catch {
    return undefined
  }
}
