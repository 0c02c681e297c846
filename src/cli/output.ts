import { once } from 'node:events'

/** Characters that are written at once. */
const batch = 65_536

/** Writes to standard output no faster than somebody reads it. */
export class Output {
  #text = ''
  #isOpen = true

  constructor() {
    // main.ts reports it. Standard output is never destroyed.
    process.stdout.once('error', () => {
      this.#isOpen = false
    })
  }

  /** False once nobody reads the output any more. */
  async write(text: string): Promise<boolean> {
    this.#text += text
    return this.#text.length < batch ? this.#isOpen : this.flush()
  }

  /** Writes what waits. */
  async flush(): Promise<boolean> {
    const text = this.#text
    this.#text = ''
    if (this.#isOpen && text !== '' && !process.stdout.write(text)) {
      await once(process.stdout, 'drain').catch(() => {})
    }
    return this.#isOpen
  }
}
