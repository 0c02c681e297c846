/**
 * A lock of all processes that use a token of SoftHSM 2.6, whose own locks do not keep them apart: it unlocks a file before it flushes what
 * it has written (File::unlock), and a process that reads an attribute of an object which another one is creating writes defaults for those
 * that are not there yet (P11Attribute::init). Keys then lose attributes, or their value.
 */
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { Failure } from '../../errors.ts'
import { FileLock } from '../../file-lock.ts'

/** Milliseconds: less than the time-out of a call. Another process has it for one call of SoftHSM. */
const patience = 1000
/** Milliseconds between two attempts: those of SQLite are too far apart to succeed beside a process that takes it again and again. */
const longestPause = 0.5
const clock = new Int32Array(new SharedArrayBuffer(4))

/** Without SOFTHSM2_CONF (SimpleConfigLoader::getConfigPath), in the home folder, or else Debian's. */
const [ownConfiguration, usualConfiguration] = ['.config/softhsm2/softhsm2.conf', '/etc/softhsm/softhsm2.conf']
/** Debian's, without a setting. */
const usualFolder = '/var/lib/softhsm/tokens/'
/** The last one counts. */
const folderSetting = /^[ \t]*directories\.tokendir[ \t]*=[ \t]*(.*?)[ \t]*(?:#.*)?$/gm

export class ProcessLock {
  readonly #path: string
  readonly #lock: FileLock
  #holders = 0

  constructor(path: string) {
    this.#path = path
    try {
      this.#lock = new FileLock(path)
    } catch (error) {
      throw this.#failure((error as Error).message)
    }
  }

  /** Calls may be nested. Throws KeyUnavailable if other processes have the lock for too long. */
  hold<T>(call: () => T): T {
    if (this.#holders === 0) this.#acquire()
    this.#holders++
    try {
      return call()
    } finally {
      if (--this.#holders === 0) this.#lock.release()
    }
  }

  #acquire(): void {
    const end = performance.now() + patience
    while (!this.#isAcquired()) {
      if (performance.now() >= end) throw this.#failure(`other processes have had it for ${patience} ms`)
      Atomics.wait(clock, 0, 0, Math.random() * longestPause)
    }
  }

  #isAcquired(): boolean {
    try {
      return this.#lock.acquire()
    } catch (error) {
      throw this.#failure((error as Error).message)
    }
  }

  #failure(why: string): Failure {
    const cause = new Error(`cannot lock ${this.#path}: ${why}`)
    return new Failure('KeyUnavailable', 'The HSM is not available.', { cause })
  }
}

/**
 * The lock of the tokens that SoftHSM finds.
 *
 * @param configuration SOFTHSM2_CONF of the process
 * @returns undefined without a folder for tokens: SoftHSM says what is wrong
 */
export function softHsmLock(configuration = foundConfiguration()): ProcessLock | undefined {
  if (!existsSync(configuration)) return undefined
  const settings = [...readFileSync(configuration, 'utf8').matchAll(folderSetting)]
  const folder = settings.at(-1)?.[1] ?? usualFolder
  return existsSync(folder) ? new ProcessLock(join(folder, 'strongroom.lock')) : undefined
}

function foundConfiguration(): string {
  try {
    const own = join(homedir(), ownConfiguration)
    return existsSync(own) ? own : usualConfiguration
  } catch {
    // A user whom the system does not know, as in some containers.
    return usualConfiguration
  }
}
