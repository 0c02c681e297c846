/** What a process takes up, again and again. */
import { readdirSync, readFileSync } from 'node:fs'

interface Sample {
  /** Bytes. */
  readonly memory: number
  /** Open file descriptors. */
  readonly files: number
}

export class Resources {
  readonly #samples = new Map<number, Sample[]>()

  /** One sample of each process; one that has just ended has none. */
  take(pids: readonly number[]): void {
    for (const pid of pids) {
      try {
        const sample = { memory: residentMemory(pid), files: readdirSync(`/proc/${pid}/fd`).length }
        this.#samples.set(pid, [...(this.#samples.get(pid) ?? []), sample])
      } catch {
        this.#samples.set(pid, this.#samples.get(pid) ?? [])
      }
    }
  }

  /** How much more it took in the second half than in the first third, as factors of the medians. */
  growth(pid: number): Sample & { readonly megabytes: readonly number[] } {
    const samples = this.#samples.get(pid)!
    const memory = samples.map(sample => sample.memory)
    const tenth = Math.ceil(samples.length / 10)
    const tenths = Array.from({ length: 10 }, (_, i) => memory.slice(i * tenth, (i + 1) * tenth))
    return {
      memory: factor(memory),
      files: factor(samples.map(({ files }) => files)),
      megabytes: tenths.filter(({ length }) => length > 0).map(tenth => Math.round(median(tenth) / 2 ** 20)),
    }
  }

  /** The process with the most samples, but for that one. */
  longestBut(pid: number): number {
    const others = [...this.#samples].filter(([other]) => other !== pid)
    return others.reduce((best, other) => (other[1].length > best[1].length ? other : best))[0]
  }
}

function residentMemory(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!
  return Number(kilobytes) * 1024
}

function factor(values: readonly number[]): number {
  return median(values.slice(values.length / 2)) / median(values.slice(0, values.length / 3))
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
}
