/** Workers that say what a test has them say, in place of processes: a real one does not break the protocol. */
import { EventEmitter } from 'node:events'
import { Duplex, PassThrough } from 'node:stream'
import type { Child } from '../../../src/hsm/child.ts'
import { FrameReader, FrameWriter } from '../../../src/hsm/wire/frames.ts'
import { encodeJson, openToken, retryFlag, startId, status } from '../../../src/hsm/wire/messages.ts'

export interface Received {
  readonly id: number
  /** Without the flag of a retry. */
  readonly kind: number
}

/** What a worker answers when it is told to open the token. */
export type Opening = readonly [kind: number, payload: Buffer]
const opened: Opening = [status.ok, encodeJson({ lacks: {} })]

/** @param request every one but that to open the token */
export type Script = (worker: ScriptedWorker, request: Received) => void

export class ScriptedWorker {
  readonly received: Received[] = []
  readonly child: Child
  readonly #writer: FrameWriter
  readonly #socket: Duplex
  readonly #ended = Promise.withResolvers<string>()

  constructor(script: Script, opening = opened) {
    const reader = new FrameReader((id, kind) => {
      if (kind === openToken) return this.answer(startId, ...opening)
      const request = { id, kind: kind & ~retryFlag }
      this.received.push(request)
      script(this, request)
    })
    this.#socket = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        reader.read(Buffer.from(chunk))
        done()
      },
    })
    this.#socket.on('finish', () => this.die('exit code 0'))
    this.#writer = new FrameWriter((batch, sent) => {
      this.say(Buffer.from(batch))
      sent()
    }, setImmediate)
    const kill = () => this.die('SIGKILL')
    const process = Object.assign(new EventEmitter(), { pid: globalThis.process.pid, kill })
    this.child = {
      process: process as unknown as Child['process'],
      socket: this.#socket,
      errors: new PassThrough(),
      ended: this.#ended.promise,
    }
  }

  answer(id: number, kind: number, payload: Uint8Array): void {
    this.#writer.write(id, kind, payload)
  }

  /** Bytes that need not be frames. */
  say(bytes: Buffer): void {
    if (!this.#socket.destroyed) this.#socket.push(bytes)
  }

  die(how: string): void {
    this.#ended.resolve(how)
  }
}
