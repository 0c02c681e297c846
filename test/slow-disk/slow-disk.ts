/** A disk on which each fsync of SQLite takes as long as it is told: see fsync.c. */
import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export class SlowDisk {
  readonly #library: string
  readonly #control: string

  /** @param folder an existing one of its own */
  constructor(folder: string) {
    this.#library = join(folder, 'slow-disk.so')
    this.#control = join(folder, 'milliseconds')
    const source = join(import.meta.dirname, 'fsync.c')
    execFileSync('cc', ['-O2', '-Wall', '-Wextra', '-fPIC', '-shared', '-o', this.#library, source, '-ldl'])
  }

  /** Of a process that has this disk. */
  get environment(): Record<string, string> {
    return { LD_PRELOAD: this.#library, SLOW_DISK: this.#control }
  }

  slow(milliseconds: number): void {
    writeFileSync(this.#control, String(milliseconds))
  }

  fast(): void {
    rmSync(this.#control, { force: true })
  }
}
