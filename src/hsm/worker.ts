/** A worker process: loads the native library, logs in once, and answers the gateway until their socket closes. */
import { Socket } from 'node:net'
import { connect, PinRefused } from './connection.ts'
import { FrameReader, FrameWriter } from './frames.ts'
import { handlerOf } from './handlers.ts'
import { encodeFailure, encodeJson, type StartFailure, startId, status } from './messages.ts'
import { Pkcs11 } from './pkcs11.ts'
import { profileOf } from './profiles.ts'
import { CryptokiError, failureFrom, recoveryFrom } from './return-codes.ts'
import type { WorkerArgument } from './worker-process.ts'

const gateway = new Socket({ fd: 3 })
const writer = new FrameWriter((batch, sent) => gateway.write(batch, sent))

let ending = false

/** Writes what is left and ends the process. */
function end(): void {
  ending = true
  writer.flush()
  gateway.end(() => process.exit())
}

function answer(hsm: Pkcs11, id: number, kind: number, request: Buffer): void {
  if (ending) return
  try {
    const response = handlerOf(kind)(hsm, request)
    if (response instanceof Promise)
      response.then(
        awaited => respond(id, awaited),
        error => refuse(id, error),
      )
    else respond(id, response)
  } catch (error) {
    refuse(id, error)
  }
}

function respond(id: number, response: Buffer): void {
  if (!ending) writer.write(id, status.ok, response)
  response.fill(0)
}

function refuse(id: number, error: unknown): void {
  if (ending) return
  const failure = failureFrom(error)
  const returnCode = failure.cause instanceof CryptokiError ? failure.cause.returnCode : 'NONE'
  const useless = recoveryFrom(error) === 'replace worker'
  writer.write(id, useless ? status.ending : status.failed, encodeFailure({ failure, returnCode }))
  if (useless) end()
}

async function start({ pinFile, profile: name, strictCustody, ...address }: WorkerArgument): Promise<Pkcs11> {
  const profile = profileOf(name)
  return new Pkcs11(await connect(address, pinFile, profile), profile, strictCustody)
}

// A terminal or service manager signals the whole group, but the gateway still has calls to finish: it says when to end.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
gateway.on('error', () => process.exit())
gateway.on('close', () => process.exit())

try {
  const hsm = await start(JSON.parse(process.argv[2]!) as WorkerArgument)
  const reader = new FrameReader((id, kind, payload) => answer(hsm, id, kind, payload))
  gateway.on('data', chunk => reader.read(chunk as Buffer))
  writer.write(startId, status.ok, Buffer.alloc(0))
} catch (error) {
  const failure: StartFailure = { message: (error as Error).message, pinRefused: error instanceof PinRefused }
  writer.write(startId, status.failed, encodeJson(failure))
  end()
}
