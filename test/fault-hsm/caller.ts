/** The test's end of a process that loads the module, so that no native library runs in the test process. */
import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import type { Method } from './caller-process.ts'

/** The outcome of a call: the name of its CKR_* and, for CKR_OK, the result. */
export interface Answer {
  readonly returnCode: string
  // biome-ignore lint/suspicious/noExplicitAny: each method has its own result, and a test knows which it asked for.
  readonly value?: any
}

/** How the IV of AES-GCM is requested and returned. */
export type IvForm = 'caller' | 'writeback12' | 'prepend12' | 'append16'

/** Of the user of the tests' own SoftHSM token. */
export const PIN = '1234'

export class Caller {
  readonly #process: ChildProcess
  readonly #waiting: ((answer: Answer) => void)[] = []
  /** What the process wrote to stderr. */
  errors = ''
  /** The signal that ended the process. */
  readonly ended: Promise<NodeJS.Signals | null>

  constructor(library: string, environment: Record<string, string>) {
    const options = { serialization: 'advanced', silent: true, env: { ...process.env, ...environment } } as const
    this.#process = fork(join(import.meta.dirname, 'caller-process.ts'), [library], options)
    this.#process.on('message', message => this.#waiting.shift()?.(message as Answer))
    this.#process.stderr?.on('data', text => {
      this.errors += text
    })
    this.ended = new Promise(resolve => this.#process.once('exit', (_code, signal) => resolve(signal)))
  }

  ask(method: Method, ...values: unknown[]): Promise<Answer> {
    this.#process.send({ method, values })
    return new Promise(resolve => this.#waiting.push(resolve))
  }

  /** Only the name of the return code. */
  async code(method: Method, ...values: unknown[]): Promise<string> {
    return (await this.ask(method, ...values)).returnCode
  }

  /** The result; throws where there is none. */
  async value(method: Method, ...values: unknown[]): Promise<Answer['value']> {
    const answer = await this.ask(method, ...values)
    if (answer.returnCode !== 'CKR_OK') throw new Error(`${method}: ${answer.returnCode}`)
    return answer.value
  }

  kill(): void {
    this.#process.kill('SIGKILL')
  }
}
