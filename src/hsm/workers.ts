/** The gateway's side of an HSM: starts, feeds, times out and replaces the processes that load the native library. */
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import type {
  EncryptionAlgorithmSpec,
  KeyUsageType,
  MacAlgorithmSpec,
  MessageType,
  SigningAlgorithmSpec,
} from '@aws-sdk/client-kms'
import { Failure, OperatorError } from '../errors.ts'
import type { SupportedKeySpec } from '../model/key-spec.ts'
import type { TokenAddress } from './connection.ts'
import type { GeneratedKey, HeldKey, Hsm, HsmCall, HsmKey, HsmObject, KeyInspection, KeyPair, Sealed } from './hsm.ts'
import {
  type CallFailure,
  type CallName,
  calls,
  decodeBoolean,
  decodeJson,
  decodeParts,
  decodeSealed,
  encodeDecrypt,
  encodeEncrypt,
  encodeJson,
  encodeParts,
  encodeRandom,
  type InspectionRequest,
} from './messages.ts'
import { encryptOaep, oaepHash, verifyMessage } from './outside.ts'
import type { Profile } from './profiles/profile.ts'
import { profileOf } from './profiles.ts'
import { type Call, StartError, WorkerProcess } from './worker-process.ts'

export interface HsmOptions extends TokenAddress {
  /** As the configuration names it. */
  readonly name: string
  /** Name of a profile in profiles/. */
  readonly profile: string
  /** File whose only line is the user PIN. Only the workers read it. */
  readonly pinFile: string
  /** Number of worker processes; two, so that one can die. */
  readonly workers: number
  /** Milliseconds within which a call is answered; calls that create, destroy or list objects get five times as much. */
  readonly deadline: number
  /** Where a public key is used: in the HSM, or outside, for what OpenSSL can do with it. */
  readonly publicKeyOperations: 'hsm' | 'gateway'
  /** What an HSM lacks is not made up for by the worker where that would show it what the HSM alone should see. */
  readonly strictCustody: boolean
  /** The whole environment of the workers, for example SOFTHSM2_CONF: nothing else is handed over. */
  readonly environment: Readonly<Record<string, string>>
  readonly observe?: (call: HsmCall) => void
  readonly log?: (level: 'info' | 'warn' | 'error', message: string, fields: Readonly<Record<string, unknown>>) => void
}

/**
 * Starts the workers one after another: SoftHSM hides the token from a process that starts while another one logs in. Rejects
 * with an OperatorError of one line when one cannot start; a PIN that was refused is not tried by the next one.
 */
export async function connectHsm(options: HsmOptions): Promise<Hsm> {
  const profile = profileOf(options.profile)
  const hsm = new WorkerHsm(options, profile)
  try {
    await hsm.start()
  } catch (error) {
    await hsm.close()
    throw error instanceof OperatorError ? new OperatorError(`HSM ${options.name}: ${error.message}`) : error
  }
  return hsm
}

const managementFactor = 5
/** A call that kills its worker is not given to every worker there is. */
const maximumAttempts = 3
/** Milliseconds before the first restart after a failed one; doubled each time. */
const firstPause = 100
const longestPause = 10_000
/** Milliseconds for a worker to end by itself. */
const endGrace = 1000

class WorkerHsm implements Hsm {
  readonly name: string
  readonly ivLength: number
  readonly #options: HsmOptions
  readonly #workers: WorkerProcess[] = []
  /** Calls that came while a lost worker was being replaced, each with the timer of its deadline. */
  readonly #waiting = new Map<Call, NodeJS.Timeout>()
  readonly #closing = new AbortController()
  #starting: WorkerProcess | undefined
  #replacing: Promise<void> | undefined
  /** Why no worker can be had: calls fail at once. */
  #down: Error | undefined
  /** Workers in a row that did not start, or died before they answered anything. */
  #failures = 0
  #pending = 0
  #epoch = 0
  #chosen: WorkerProcess | undefined
  readonly #changesAlone: boolean
  /** Ends when the call before that wants the HSM to itself has ended. */
  #turn: Promise<unknown> = Promise.resolve()
  #isHeld = false
  #idle: (() => void) | undefined
  #drained: (() => void) | undefined

  constructor(options: HsmOptions, { ivLength, changesAlone }: Profile) {
    this.name = options.name
    this.ivLength = ivLength
    this.#changesAlone = changesAlone
    this.#options = options
  }

  get epoch(): number {
    return this.#epoch
  }

  get pending(): number {
    return this.#pending
  }

  async start(): Promise<void> {
    const starting = this.#startAll()
    this.#replacing = starting
    try {
      await starting
    } finally {
      this.#replacing = undefined
    }
  }

  async encrypt(material: string, plaintext: Uint8Array, aad: Uint8Array): Promise<Sealed> {
    return decodeSealed(await this.#call('encrypt', encodeEncrypt(material, plaintext, aad)))
  }

  async decrypt(material: string, sealed: Sealed, aad: Uint8Array): Promise<Uint8Array> {
    return this.#call('decrypt', encodeDecrypt(material, sealed, aad))
  }

  async random(length: number): Promise<Uint8Array> {
    return this.#call('random', encodeRandom(length))
  }

  async generateKey(
    material: string,
    spec: SupportedKeySpec,
    usage: KeyUsageType,
    label: string,
  ): Promise<GeneratedKey> {
    const request = { material, spec, usage, label }
    const [custody, publicKey, checkValue] = decodeParts(await this.#manage('generateKey', request))
    return { custody: decodeJson(custody!), publicKey: optional(publicKey!), checkValue: optional(checkValue!) }
  }

  async inspectKey({ publicKey, checkValue, ...key }: HeldKey, look: 'quick' | 'thorough'): Promise<KeyInspection> {
    const request: InspectionRequest = { ...key, publicKey: base64(publicKey), checkValue: base64(checkValue), look }
    const deadline = managementFactor * this.#options.deadline
    const workers = this.#workers.length === 0 ? [undefined] : this.#workers
    const inspections = await Promise.all(
      workers.map(async worker =>
        decodeJson<KeyInspection>(await this.#call('inspectKey', encodeJson(request), deadline, worker)),
      ),
    )
    return inspections.find(({ fault }) => fault !== undefined) ?? {}
  }

  async generateKeyPair(spec: SupportedKeySpec): Promise<KeyPair> {
    const deadline = managementFactor * this.#options.deadline
    const [publicKey, privateKey] = decodeParts(await this.#call('generateKeyPair', Buffer.from(spec), deadline))
    return { publicKey: publicKey!, privateKey: privateKey! }
  }

  async encryptRaw(key: HsmKey, algorithm: EncryptionAlgorithmSpec, plaintext: Uint8Array): Promise<Uint8Array> {
    if (this.#options.publicKeyOperations === 'gateway')
      return encryptOaep(key.publicKey!, oaepHash(algorithm), plaintext)
    return this.#call('encryptRaw', encodeParts(algorithm, plaintext, key.material, key.spec, key.publicKey!))
  }

  async decryptRaw(key: HsmKey, algorithm: EncryptionAlgorithmSpec, ciphertext: Uint8Array): Promise<Uint8Array> {
    return this.#call('decryptRaw', encodeParts(algorithm, ciphertext, key.material, key.spec))
  }

  async sign(
    key: HsmKey,
    algorithm: SigningAlgorithmSpec,
    type: MessageType,
    message: Uint8Array,
  ): Promise<Uint8Array> {
    return this.#call('sign', encodeParts(algorithm, type, message, key.material, key.spec))
  }

  async verify(
    key: HsmKey,
    algorithm: SigningAlgorithmSpec,
    type: MessageType,
    message: Uint8Array,
    signature: Uint8Array,
  ): Promise<boolean> {
    if (this.#options.publicKeyOperations === 'gateway' && type === 'RAW') {
      return verifyMessage(key.publicKey!, algorithm, message, signature)
    }
    const payload = encodeParts(algorithm, type, message, signature, key.material, key.spec, key.publicKey!)
    return decodeBoolean(await this.#call('verify', payload))
  }

  async generateMac(key: HsmKey, algorithm: MacAlgorithmSpec, message: Uint8Array): Promise<Uint8Array> {
    return this.#call('generateMac', encodeParts(algorithm, message, key.material))
  }

  async verifyMac(key: HsmKey, algorithm: MacAlgorithmSpec, message: Uint8Array, mac: Uint8Array): Promise<boolean> {
    return decodeBoolean(await this.#call('verifyMac', encodeParts(algorithm, message, mac, key.material)))
  }

  async deriveSharedSecret(key: HsmKey, peer: Uint8Array): Promise<Uint8Array> {
    return this.#call('deriveSharedSecret', encodeParts(peer, key.material, key.spec))
  }

  async destroyKey(material: string): Promise<void> {
    await this.#manage('destroyKey', { material })
  }

  async objects(): Promise<readonly HsmObject[]> {
    return decodeJson(await this.#manage('objects', {}))
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    this.#closing.abort()
    this.#starting?.kill()
    if (this.#pending > 0) await new Promise<void>(resolve => (this.#drained = resolve))
    await this.#replacing
    await Promise.all(this.#workers.map(worker => worker.end(endGrace)))
  }

  #manage(name: CallName, request: object): Promise<Buffer> {
    const call = () => this.#call(name, encodeJson(request), managementFactor * this.#options.deadline)
    if (!this.#changesAlone) return call()
    const result = this.#turn.then(() => this.#alone(call))
    this.#turn = result.catch(() => undefined)
    return result
  }

  /** Holds new calls back, lets the running ones end, and runs this one with the HSM to itself. */
  async #alone(call: () => Promise<Buffer>): Promise<Buffer> {
    this.#isHeld = true
    try {
      if (this.#isBusy()) await new Promise<void>(resolve => (this.#idle = resolve))
      return await call()
    } finally {
      this.#idle = undefined
      this.#isHeld = false
      this.#dispatchWaiting()
    }
  }

  #isBusy(): boolean {
    return this.#workers.some(worker => worker.pending.size > 0)
  }

  #call(name: CallName, payload: Buffer, deadline = this.#options.deadline, meantFor?: WorkerProcess): Promise<Buffer> {
    if (this.#closing.signal.aborted) throw unavailable(new Error('The HSM was closed.')).failure
    const startedAt = performance.now()
    this.#pending++
    return new Promise((resolve, reject) => {
      const call: Call = {
        name,
        payload,
        startedAt,
        deadline: startedAt + deadline,
        worker: meantFor,
        attempts: 0,
        answer: output => {
          this.#settled(call, 'CKR_OK')
          resolve(output)
        },
        fail: ({ failure, returnCode }) => {
          this.#settled(call, returnCode)
          reject(failure)
        },
      }
      this.#dispatch(call)
    })
  }

  #settled({ name, payload, startedAt }: Call, returnCode: string): void {
    payload.fill(0)
    this.#options.observe?.({
      hsm: this.name,
      operation: name,
      returnCode,
      seconds: (performance.now() - startedAt) / 1000,
    })
    if (--this.#pending === 0) this.#drained?.()
    if (!this.#isBusy()) this.#idle?.()
  }

  /** Gives the call to the worker with the least to do; without any, to the next that starts, unless there is no hope of one. */
  #dispatch(call: Call): void {
    const isHeld = this.#isHeld && !calls[call.name].alone
    const wanted = call.worker?.lost === false ? call.worker : undefined
    const worker = isHeld ? undefined : (wanted ?? this.#chooseWorker())
    if (worker !== undefined) worker.send(call)
    else if (!isHeld && this.#down !== undefined) call.fail(unavailable(this.#down))
    else {
      const expire = () => {
        this.#waiting.delete(call)
        call.fail(unavailable(new Error('No worker was ready in time.'), 'TIMEOUT'))
      }
      this.#waiting.set(call, setTimeout(expire, call.deadline - performance.now()))
    }
  }

  /** The worker with the least to do, and then the same for all calls of this turn of the event loop: they share a frame. */
  #chooseWorker(): WorkerProcess | undefined {
    if (this.#chosen !== undefined && !this.#chosen.lost) return this.#chosen
    let chosen: WorkerProcess | undefined
    for (const worker of this.#workers) {
      if (chosen === undefined || worker.pending.size < chosen.pending.size) chosen = worker
    }
    this.#chosen = chosen
    setImmediate(() => {
      this.#chosen = undefined
    })
    return chosen
  }

  #dispatchWaiting(): void {
    for (const [call, timer] of this.#waiting) {
      clearTimeout(timer)
      this.#waiting.delete(call)
      this.#dispatch(call)
    }
  }

  async #startAll(): Promise<void> {
    while (this.#workers.length < this.#options.workers) await this.#startWorker()
  }

  async #startWorker(): Promise<void> {
    const { library, tokenLabel, tokenSerial, pinFile, profile, strictCustody, environment } = this.#options
    const worker = new WorkerProcess(
      { library, tokenLabel, tokenSerial, pinFile, profile, strictCustody },
      environment,
      (...lost) => this.#lose(...lost),
      ({ pid }, text) => this.#log('warn', 'An HSM worker wrote an error.', { pid, text: text.slice(0, 1000) }),
    )
    this.#starting = worker
    try {
      await worker.ready
    } catch (error) {
      await worker.ended
      throw error
    } finally {
      this.#starting = undefined
    }
    if (worker.lost)
      throw new StartError({ message: 'The HSM worker died as soon as it was ready.', pinRefused: false })
    this.#down = undefined
    this.#workers.push(worker)
    this.#epoch++
    this.#log('info', 'An HSM worker is ready.', { pid: worker.pid })
    this.#dispatchWaiting()
  }

  /** Takes a worker out. What it left behind goes to another one where it is safe to do a call twice. */
  #lose(worker: WorkerProcess, unfinished: readonly Call[], reason: string): void {
    const index = this.#workers.indexOf(worker)
    // A worker that was not ready yet: whoever starts it is told.
    if (index < 0) return
    this.#workers.splice(index, 1)
    this.#failures = worker.proven ? 0 : this.#failures + 1
    this.#log('warn', 'An HSM worker was lost.', { pid: worker.pid, reason })
    if (this.#closing.signal.aborted) this.#down = new Error('The HSM is closing.')
    else this.#replacing ??= this.#replace().finally(() => (this.#replacing = undefined))
    for (const call of unfinished) {
      if (calls[call.name].repeatable && call.attempts < maximumAttempts) this.#dispatch(call)
      else call.fail(call.lastFailure ?? unavailable(new Error(`The HSM worker was lost: ${reason}`)))
    }
    if (!this.#isBusy()) this.#idle?.()
  }

  async #replace(): Promise<void> {
    while (this.#workers.length < this.#options.workers && !this.#closing.signal.aborted) {
      try {
        if (this.#failures > 0) await delay(pause(this.#failures), undefined, { signal: this.#closing.signal })
        await this.#startWorker()
      } catch (error) {
        if (this.#closing.signal.aborted) break
        this.#failures++
        this.#log('error', 'An HSM worker could not start.', { reason: (error as Error).message })
        this.#setDown(error as Error)
        if (error instanceof StartError && error.pinRefused) return
      }
    }
    if (this.#closing.signal.aborted) this.#setDown(new Error('The HSM is closing.'))
  }

  /** As long as no worker is left, nothing waits for one. */
  #setDown(reason: Error): void {
    if (this.#workers.length > 0) return
    this.#down = reason
    this.#dispatchWaiting()
  }

  #log(level: 'info' | 'warn' | 'error', message: string, fields: Readonly<Record<string, unknown>>): void {
    this.#options.log?.(level, message, { hsm: this.name, ...fields })
  }
}

/** A copy of its own: a view would keep the whole message in memory. */
function optional(part: Buffer): Uint8Array | undefined {
  return part.length === 0 ? undefined : new Uint8Array(part)
}

function base64(bytes: Uint8Array | undefined): string | undefined {
  return bytes && Buffer.from(bytes).toString('base64')
}

/** Milliseconds to wait after that many failures in a row. */
function pause(failures: number): number {
  return Math.min(longestPause, firstPause * 2 ** (failures - 1))
}

function unavailable(cause: Error, returnCode = 'WORKER_LOST'): CallFailure {
  return { failure: new Failure('KeyUnavailableException', 'The HSM is not available.', { cause }), returnCode }
}
