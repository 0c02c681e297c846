/** LD_PRELOAD libraries, controlled by a number that can be set while the process runs. */
import { execFileSync } from 'node:child_process'
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export class Preloaded {
  readonly #library: string
  readonly #number: string

  /** @param name of a C file in this folder, which documents the number. @param folder an existing one of its own */
  constructor(name: string, folder: string) {
    this.#library = join(folder, `${name}.so`)
    this.#number = join(folder, `${name}.number`)
    const source = join(import.meta.dirname, `${name}.c`)
    execFileSync('cc', ['-O2', '-Wall', '-Wextra', '-fPIC', '-shared', '-o', this.#library, source, '-ldl'])
    this.set(0)
  }

  /** What a process needs in its environment. */
  get environment(): Record<string, string> {
    return { LD_PRELOAD: this.#library, PRELOADED: this.#number }
  }

  /** Whether it makes a process wait: see its C file. */
  get isWaiting(): boolean {
    return existsSync(`${this.#number}.waiting`)
  }

  set(number: number): void {
    rmSync(`${this.#number}.waiting`, { force: true })
    writeFileSync(`${this.#number}.new`, `${number}\n`)
    renameSync(`${this.#number}.new`, this.#number)
  }
}
