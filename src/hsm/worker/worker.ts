/** A worker process: loads the native library, logs in once, and answers the gateway until their socket closes. */
import { Socket } from 'node:net'
import type { CustodyFault } from '../../model/key.ts'
import { FrameReader, FrameWriter } from '../frames.ts'
import { calls, changeGranted, encodeJson, type StartFailure, startId, status, type WorkerReport } from '../messages.ts'
import type { WorkerArgument } from '../worker-argument.ts'
import { type Awaitable, whenDone } from './awaitable.ts'
import { type Connection, connect, PinRefused } from './connection.ts'
import { type Answer, answerTo, laneOf } from './handlers.ts'
import { fastestMode, type Mode } from './mode.ts'
import { Pkcs11 } from './pkcs11.ts'
import { probe } from './probe.ts'
import { ThreadPool } from './threads.ts'

/** Calls that wait in the socket and in this process keep the library busy while answers are on their way: so many are enough. */
const waitingCalls = 32
/** Of the main thread, beside the threads that do cryptography. */
const managementSessions = 4

const nothing = Buffer.alloc(0)
const gateway = new Socket({ fd: 3 })
const writer = new FrameWriter((batch, sent) => gateway.write(batch, sent))
const argument = JSON.parse(process.argv[2]!) as WorkerArgument
const { profile } = argument
/** By the id of the call that asked. */
const grants = new Map<number, () => void>()
let ending = false

/** Writes what is left and ends the process. */
function end(): void {
  ending = true
  writer.flush()
  gateway.end(() => process.exit())
}

/** Asks the gateway, once for a call, whether the token may be changed. */
function changeFor(id: number): () => Promise<void> {
  let granted: Promise<void> | undefined
  return async () => {
    if (!profile.changesAlone) return
    granted ??= new Promise(resolve => {
      grants.set(id, resolve)
      writer.write(id, status.asksChange, nothing)
    })
    await granted
  }
}

/** @param kind of the request frame */
type Perform = (kind: number, payload: Buffer, change: () => Promise<void>) => Awaitable<Answer>

function receive(perform: Perform, id: number, kind: number, payload: Buffer): void {
  if (kind === changeGranted) {
    grants.get(id)?.()
    grants.delete(id)
    return
  }
  const request = Buffer.from(payload)
  whenDone(perform(kind, request, changeFor(id)), answer => {
    request.fill(0)
    if (ending) return
    writer.write(id, answer.kind, answer.payload)
    answer.payload.fill(0)
    if (answer.kind === status.ending) end()
  })
}

/** Chooses the mode by a measurement, unless the profile says which. */
async function start(connection: Connection): Promise<{ perform: Perform; report: WorkerReport }> {
  const { sessions, strictCustody, canary } = argument
  const capabilities = await probe(connection, profile, strictCustody)
  const mode = profile.mode === 'measured' ? fastestMode(capabilities.latency, sessions) : profile.mode
  const capacity = mode === 'synchronous' ? waitingCalls : sessions + waitingCalls
  const own: Readonly<Record<Mode, number>> = {
    synchronous: waitingCalls,
    asynchronous: sessions,
    threads: managementSessions,
  }
  const options = { profile, capabilities, sessions: own[mode], canary: canary?.material }
  const hsm = new Pkcs11(connection, options)
  hsm.load()
  await checkTrust(hsm)
  connection.cryptoki.asynchronous = mode === 'asynchronous'
  const report = { capacity, mode, capabilities }
  if (mode !== 'threads') return { perform: (...call) => answerTo(hsm, ...call), report }
  const threads = await ThreadPool.start(sessions, capacity, { argument, capabilities, slot: connection.slot })
  const perform: Perform = async (kind, payload, change) => {
    if (laneOf(kind) === 'cryptography') return threads.perform(kind, payload)
    const answer = await answerTo(hsm, kind, payload, change)
    if (kind === calls.logIn.kind && answer.kind === status.ok) threads.renew()
    return answer
  }
  return { perform, report }
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

// A terminal or service manager signals the whole group, but the gateway still has calls to finish: it says when to end.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
gateway.on('error', () => process.exit())
gateway.on('close', () => process.exit())

try {
  const { perform, report } = await start(await connect(argument, argument, profile))
  const reader = new FrameReader((id, kind, payload) => receive(perform, id, kind, payload))
  gateway.on('data', chunk => reader.read(chunk as Buffer))
  writer.write(startId, status.ok, encodeJson(report))
} catch (error) {
  const failure: StartFailure = { message: (error as Error).message, reason: reasonOf(error) }
  writer.write(startId, status.failed, encodeJson(failure))
  end()
}
