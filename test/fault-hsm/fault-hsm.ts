/** The misbehaving HSM, for tests: builds the module, writes its rules, reads its counters. See README.md. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const here = import.meta.dirname
const library = join(here, 'build', 'fault-hsm.so')

/** Sizes of module/rules.h: `struct counters` is calls, hits and one value of its own, 8 bytes each. */
const COUNTERS_SIZE = 24

/** Every set orders these again, so it adds a unique tag to each without one. */
const EVENT = /^(drop-sessions|forget-login|renumber-handles)$/

function modified(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
}

/** Builds the module when a source is newer than it. Returns the path of the library; throws when the compiler fails. */
export function build(): string {
  const sources = readdirSync(join(here, 'module')).map(name => join(here, 'module', name))
  const newest = Math.max(...[...sources, join(here, 'build.sh')].map(modified))
  if (modified(library) < newest) execFileSync(join(here, 'build.sh'), { stdio: ['ignore', 'ignore', 'inherit'] })
  return library
}

/** How often a rule met a call, over every process that follows the control file, since the rules were set. */
export interface RuleCount {
  readonly rule: string
  /** Calls of the functions that the rule names. */
  readonly calls: number
  /** Times it took effect; of an event, the processes it happened in. */
  readonly hits: number
}

/** One control file. Every process started with `environment` follows it. */
export class FaultHsm {
  readonly library = build()
  readonly control: string
  #rules: readonly string[] = []
  #orders = 0

  /** @param folder An existing folder of this HSM's own, where the rules and their counters are kept. */
  constructor(folder: string) {
    this.control = join(folder, 'rules')
    this.set()
  }

  /** What a process needs in its environment before it loads `library`. The real module is SoftHSM unless one is named. */
  environment(module?: string): Record<string, string> {
    return { FAULT_HSM_CONTROL: this.control, ...(module && { FAULT_HSM_MODULE: module }) }
  }

  /** Replaces all rules at once. A process sees them at its next call; all counters start at zero. */
  set(...rules: readonly string[]): void {
    this.#rules = rules
    this.#orders += 1
    const lines = rules.map(rule => (EVENT.test(rule) ? `${rule} ${this.#orders}` : rule))
    writeFileSync(`${this.control}.new`, lines.map(line => `${line}\n`).join(''))
    renameSync(`${this.control}.new`, this.control)
  }

  clear(): void {
    this.set()
  }

  /** The counters of the rules that stand, in their order; zero until a process has met them. */
  counts(): readonly RuleCount[] {
    const counters = this.#readCounters()
    const read = (offset: number) => (offset < counters.length ? Number(counters.readBigUInt64LE(offset)) : 0)
    return this.#rules.map((rule, line) => ({
      rule,
      calls: read(line * COUNTERS_SIZE),
      hits: read(line * COUNTERS_SIZE + 8),
    }))
  }

  #readCounters(): Buffer {
    const { ino, mtimeNs } = statSync(this.control, { bigint: true })
    try {
      return readFileSync(`${this.control}.${ino}-${mtimeNs}.counters`)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0)
      throw error
    }
  }
}
