/** A worker process: when it is told to, loads the native library and logs in; then answers the gateway until their socket closes. */
import { Socket } from 'node:net'
import type { CustodyFault } from '../../model/keys/key.ts'
import { type Connection, connect, PinRefused } from '../token/connection.ts'
import { Pkcs11 } from '../token/pkcs11.ts'
import { probe } from '../token/probe.ts'
import { calls } from '../wire/calls.ts'
import { FrameReader, FrameWriter } from '../wire/frames.ts'
import { encodeJson, openToken, type StartFailure, startId, status, type WorkerReport } from '../wire/messages.ts'
import type { WorkerArgument } from '../wire/worker-argument.ts'
import { type Awaitable, whenDone } from './awaitable.ts'
import { type Answer, answerTo, laneOf } from './handlers.ts'
import { fastestMode, type Mode } from './mode.ts'
import { ThreadPool } from './threads.ts'

/** Calls that wait in the socket and in this process keep the library busy while answers are on their way: so many are enough. */
const waitingCalls = 32
/** Of the main thread, beside the threads that do cryptography. */
const managementSessions = 4

const gateway = new Socket({ fd: 3 })
const writer = new FrameWriter((batch, sent) => gateway.write(batch, sent))
const argument = JSON.parse(process.argv[2]!) as WorkerArgument
const { profile } = argument
let ending = false

/** Before something that takes long: this thread can say nothing meanwhile. */
function announce(status: number): void {
  writer.write(startId, status, Buffer.alloc(0))
  writer.flush()
}

/** Writes what is left and ends the process. */
function end(): void {
  ending = true
  writer.flush()
  gateway.end(() => process.exit())
}

/** @param kind of the request frame */
type Perform = (kind: number, payload: Buffer, part: (payload: Buffer) => void) => Awaitable<Answer>

let perform: Perform

function receive(id: number, kind: number, payload: Buffer): void {
  if (kind === openToken) {
    void open()
    return
  }
  const request = Buffer.from(payload)
  const part = (payload: Buffer) => writer.write(id, status.part, payload)
  whenDone(perform(kind, request, part), answer => {
    request.fill(0)
    if (ending) return
    writer.write(id, answer.kind, answer.payload)
    answer.payload.fill(0)
    if (answer.kind === status.ending) end()
  })
}

/** Chooses the mode by a measurement, unless the profile says which. */
async function start(connection: Connection): Promise<{ hsm: Pkcs11; perform: Perform; report: WorkerReport }> {
  const { sessionsPerWorker: sessions, allowSoftwareFallback, canary } = argument
  const capabilities = await probe(connection, profile, allowSoftwareFallback)
  const mode = profile.mode === 'measured' ? fastestMode(capabilities.latency, sessions) : profile.mode
  const capacity = mode === 'synchronous' ? waitingCalls : sessions + waitingCalls
  const own: Readonly<Record<Mode, number>> = {
    synchronous: waitingCalls,
    asynchronous: sessions,
    threads: managementSessions,
  }
  const options = { profile, capabilities, sessions: own[mode], canary: canary?.material }
  connection.cryptoki.beforeSearch = () => announce(status.searching)
  const hsm = new Pkcs11(connection, options)
  await checkTrust(hsm)
  connection.cryptoki.asynchronous = mode === 'asynchronous'
  const report = { capacity, mode, capabilities }
  if (mode !== 'threads') return { hsm, perform: (...call) => answerTo(hsm, ...call), report }
  const threads = await ThreadPool.start(sessions, capacity, { argument, capabilities, slot: connection.slot })
  const perform: Perform = async (kind, payload, part) => {
    if (laneOf(kind) === 'cryptography') return threads.perform(kind, payload)
    const answer = await answerTo(hsm, kind, payload, part)
    if (kind === calls.logIn.kind && answer.kind === status.ok) threads.renew()
    return answer
  }
  return { hsm, perform, report }
}

/** A token is trusted once it has shown that it holds the canary key, the very one, and works with it. */
async function checkTrust(hsm: Pkcs11): Promise<void> {
  const { canary } = argument
  if (canary === undefined) return
  const checkValue = canary.checkValue === undefined ? undefined : Buffer.from(canary.checkValue, 'base64')
  const key = { material: canary.material, spec: 'SYMMETRIC_DEFAULT', usage: 'ENCRYPT_DECRYPT', checkValue } as const
  const { fault } = await hsm.inspectKey(key, 'thorough')
  // One that can be read or has a twin is the right one all the same: the job that looks at all keys raises the alarm.
  if (fault === 'missing' || fault === 'swapped') throw new Untrusted(fault)
  if (!(await hsm.works())) throw new Error('The token does not encrypt and decrypt with the canary key.')
}

class Untrusted extends Error {
  constructor(fault: CustodyFault) {
    super(`The canary key of this gateway is ${fault} on the token: is it another token, or was it wiped?`)
  }
}

function reasonOf(error: unknown): StartFailure['reason'] {
  if (error instanceof PinRefused) return 'pinRefused'
  return error instanceof Untrusted ? 'untrusted' : 'unavailable'
}

async function open(): Promise<void> {
  try {
    const started = await start(await connect(argument, argument, profile, () => announce(status.initialised)))
    perform = started.perform
    writer.write(startId, status.ok, encodeJson(started.report))
    writer.flush()
    void started.hsm.index()
  } catch (error) {
    const failure: StartFailure = { message: (error as Error).message, reason: reasonOf(error) }
    writer.write(startId, status.failed, encodeJson(failure))
    end()
  }
}

// A terminal or service manager signals the whole group, but the gateway still has calls to finish: it says when to end.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
gateway.on('error', () => process.exit())
gateway.on('close', () => process.exit())

const reader = new FrameReader(receive)
gateway.on('data', chunk => reader.read(chunk as Buffer))
