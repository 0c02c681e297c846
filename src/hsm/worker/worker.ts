/** A worker process: loads the native library and logs in when told to, then answers the gateway until their socket closes. */
import { Socket } from 'node:net'
import { Failure } from '../../errors.ts'
import { CryptokiError, type ReturnCode } from '../return-codes.ts'
import type { Permissions } from '../token/capabilities.ts'
import { type Connection, connect, PinRefused, TokenNotFound } from '../token/connection.ts'
import { Pkcs11 } from '../token/pkcs11.ts'
import { probe } from '../token/probe.ts'
import { sessionShare } from '../token/session-share.ts'
import { whyNoWrapWithTrusted } from '../token/trusted-wrapping.ts'
import type { Capabilities } from '../wire/capabilities.ts'
import { FrameReader, FrameWriter } from '../wire/frames.ts'
import { encodeJson, openToken, type StartFailure, startId, status } from '../wire/messages.ts'
import type { WorkerArgument } from '../wire/worker-argument.ts'
import { answerTo } from './answer.ts'

const gateway = new Socket({ fd: 3 })
const writer = new FrameWriter((batch, sent) => gateway.write(batch, sent), setImmediate)
const argument = JSON.parse(process.argv[2]!) as WorkerArgument
const { profile } = argument
let ending = false

/** Before a long call, during which this thread cannot write. */
function announce(status: number): void {
  writer.write(startId, status, Buffer.alloc(0))
  writer.flush()
}

/** Flushes pending answers and ends the process. */
function end(): void {
  ending = true
  writer.flush()
  gateway.end(() => process.exit())
}

let hsm: Pkcs11

function receive(id: number, kind: number, payload: Buffer): void {
  if (kind === openToken) void open(payload)
  else void answer(id, kind, Buffer.from(payload))
}

async function answer(id: number, kind: number, request: Buffer): Promise<void> {
  const part = (payload: Buffer) => writer.write(id, status.part, payload)
  const { kind: outcome, payload } = await answerTo(hsm, kind, request, part)
  request.fill(0)
  if (ending) return
  writer.write(id, outcome, payload)
  payload.fill(0)
  if (outcome === status.ending) end()
}

async function start(connection: Connection): Promise<Capabilities> {
  const { sessionsPerWorker, sharers, mayMissKeys, allowSoftwareFallback, strictCustody, canary } = argument
  const bridges = allowSoftwareFallback && !strictCustody
  const capabilities = await probed(connection, { allowSoftwareFallback, bridges })
  connection.cryptoki.beforeSearch = () => announce(status.searching)
  hsm = new Pkcs11(connection, {
    profile,
    capabilities,
    sessions: sessionShare(sessionsPerWorker, sharers, connection.maxSessions),
    mayMissKeys,
    bridges,
    canary: canary?.object,
  })
  await checkTrust()
  connection.cryptoki.asynchronous = profile.mode === 'asynchronous'
  return capabilities
}

async function probed(connection: Connection, permissions: Permissions): Promise<Capabilities> {
  const capabilities = await probe(connection, profile, permissions)
  if (!argument.transfers || capabilities.lacks.WrapWithTrusted !== undefined) return capabilities
  const reason = await whyNoWrapWithTrusted(connection, profile)
  return reason === undefined
    ? capabilities
    : { ...capabilities, lacks: { ...capabilities.lacks, WrapWithTrusted: reason } }
}

/** A token is trusted if it holds the canary key, verified by its check value, and works with it. */
async function checkTrust(): Promise<void> {
  const { canary } = argument
  if (canary === undefined) return
  const checkValue = canary.checkValue === undefined ? undefined : Buffer.from(canary.checkValue, 'base64')
  const key = { object: canary.object, spec: 'SYMMETRIC_DEFAULT', usage: 'ENCRYPT_DECRYPT', checkValue } as const
  const { fault } = await hsm.inspectKey({ ...key, depth: 'thorough' })
  // A canary key with wrong attributes or a duplicate proves the token all the same: the custody job raises an alert.
  if (fault === 'missing' || fault === 'wrong_key') throw new Untrusted(fault)
  if (!(await hsm.works())) throw new Error('the token cannot encrypt and decrypt with the canary key')
}

class Untrusted extends Error {
  constructor(fault: 'missing' | 'wrong_key') {
    super(`canary key ${fault === 'missing' ? 'missing' : 'mismatch'}: wrong or re-initialized token?`)
  }
}

function reasonOf(error: unknown): StartFailure['reason'] {
  if (error instanceof PinRefused) return 'pinRefused'
  return error instanceof Untrusted ? 'untrusted' : 'unavailable'
}

/** Of an error, or of what caused it. */
function returnCodeOf(error: unknown): string | undefined {
  if (error instanceof TokenNotFound) return 'CKR_TOKEN_NOT_PRESENT' satisfies ReturnCode
  if (error instanceof CryptokiError) return error.returnCode
  return error instanceof Error ? returnCodeOf(error.cause) : undefined
}

/** @param sentPin empty if the worker reads it */
async function open(sentPin: Buffer): Promise<void> {
  try {
    const pin = sentPin.length === 0 ? argument : { sent: sentPin.toString() }
    const capabilities = await start(await connect(argument, pin, profile, () => announce(status.initialised)))
    writer.write(startId, status.ok, encodeJson(capabilities))
    writer.flush()
    void hsm.index()
  } catch (error) {
    const { message } = error instanceof Failure ? (error.cause as Error) : (error as Error)
    const failure: StartFailure = { message, reason: reasonOf(error), returnCode: returnCodeOf(error) }
    writer.write(startId, status.failed, encodeJson(failure))
    end()
  }
}

// Terminals and service managers signal the whole process group, but the gateway still has calls to finish: it closes the socket.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
gateway.on('error', () => process.exit())
gateway.on('close', () => process.exit())

const reader = new FrameReader(receive)
gateway.on('data', chunk => reader.read(chunk as Buffer))
