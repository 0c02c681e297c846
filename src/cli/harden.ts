/** Keeps what a process knows out of core files, and what it need not know out of its environment. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/**
 * With 0 no core file is written, but a program named in kernel.core_pattern is still given the core; with 1 it is not either
 * (core(5), and coredump.c of the kernel, where 1 means that a core is being handled already).
 */
const [noFile, noCore] = ['0', '1']

/** Lowers the limit, then starts the command. `ulimit` counts blocks: 1 byte is 0 of them. */
const lowered = 'set -e; [ "$(ulimit -c)" = 0 ] || ulimit -c 0; exec "$@"'

/**
 * Forbids this process and its children to leave a core, before it knows anything worth hiding. Where `prlimit` is missing, or variables are to
 * go that could still be read in /proc, the process is replaced by a new one.
 *
 * @param unwanted variables of the environment
 */
export function harden(unwanted: readonly string[] = []): void {
  if (coreLimit() !== noCore) spawnSync('prlimit', ['--pid', String(process.pid), '--core=1:1'])
  const environment = Object.entries(process.env).filter(([name]) => !unwanted.includes(name))
  const isExposed = environment.length < Object.keys(process.env).length
  if (isExposed || ![noFile, noCore, undefined].includes(coreLimit())) {
    const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
    process.execve!('/bin/sh', ['sh', '-c', lowered, 'sh', ...command], Object.fromEntries(environment))
  }
}

/** The soft limit in bytes, or `unlimited`; undefined where the system does not tell, as macOS, which writes no cores by default. */
function coreLimit(): string | undefined {
  try {
    return /^Max core file size +(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
  } catch {
    return undefined
  }
}
