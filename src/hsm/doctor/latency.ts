/** Times the calls of an operation, and recommends a mode and a number of workers. */
import { performance } from 'node:perf_hooks'
import type pkcs11js from 'pkcs11js'
import { gcmIvLengths, type Profile } from '../profiles/profile.ts'
import { workerCount } from '../profiles/worker-count.ts'
import type { Connection } from '../token/connection.ts'
import type { Handle } from '../token/cryptoki.ts'
import { sealing } from '../token/gcm.ts'
import { macs } from '../token/mechanisms.ts'
import { attempt, inSessionOfItsOwn } from '../token/probe.ts'
import type { Gcm } from '../wire/capabilities.ts'
import { destroyTrialKey, generateTrialKey } from './exercises.ts'
import { concurrentCalls, type Latency, type Recommendation } from './findings.ts'

const text = Buffer.alloc(32, 'text')
const aad = Buffer.alloc(64, 'aad')
/** Few enough for an HSM that takes milliseconds, enough for a token that takes microseconds. */
const rounds = 20
/** Milliseconds. A call that stays in the library takes microseconds. */
const leastRoundTrip = 0.1

/** One operation in a session, by the functions of the library themselves: their times differ. */
interface Operation {
  init(): void
  finish(): void
  finishInPool(): Promise<unknown>
}

/** Of AES-GCM, or of HMAC if the token has no AES-GCM. Undefined if it has neither. */
export async function latencyOf(
  connection: Connection,
  profile: Profile,
  gcm: Gcm | undefined,
): Promise<Latency | undefined> {
  const spec = gcm === undefined ? 'HMAC_256' : 'SYMMETRIC_DEFAULT'
  const usage = gcm === undefined ? 'GENERATE_VERIFY_MAC' : 'ENCRYPT_DECRYPT'
  const { value } = await attempt(profile, async () => {
    const { cryptoki } = connection
    const trial = await generateTrialKey(connection, spec, usage)
    try {
      return await inSessions(connection, concurrentCalls, sessions => {
        const operations = () =>
          sessions.map(session =>
            gcm === undefined ? signing(cryptoki, session, trial.key) : encryption(cryptoki, session, trial.key, gcm),
          )
        return measure(operations)
      })
    } finally {
      destroyTrialKey(connection, trial)
    }
  })
  return value
}

/** If the calls of one process cannot overlap, more processes help, unless the calls are done in the library itself. */
export function recommendationFor(
  { init, operation, speedUp }: Latency,
  { singleProcess }: Pick<Profile, 'singleProcess'>,
): Recommendation {
  const mode = speedUp > concurrentCalls / 2 ? 'asynchronous' : 'synchronous'
  const initIsRoundTrip = init >= leastRoundTrip
  const isHeldUp = initIsRoundTrip || (mode === 'synchronous' && operation >= leastRoundTrip)
  return { mode, initIsRoundTrip, workers: workerCount('auto', { initIsRoundTrip: isHeldUp, singleProcess }) }
}

type Cryptoki = Connection['cryptoki']

function encryption(cryptoki: Cryptoki, session: Handle, key: Handle, gcm: Gcm): Operation {
  const { native } = cryptoki
  const drawIv = () => cryptoki.random(session, gcmIvLengths[gcm.iv])
  const { mechanism, outputLength } = sealing(gcm, text, aad, drawIv)
  const output = Buffer.alloc(outputLength)
  return {
    init: () => native.C_EncryptInit(session, mechanism as pkcs11js.Mechanism, key),
    finish: () => native.C_Encrypt(session, text, output),
    finishInPool: () => native.C_EncryptAsync(session, text, output),
  }
}

function signing({ native }: Cryptoki, session: Handle, key: Handle): Operation {
  const { mechanism, bytes } = macs.HMAC_SHA_256
  const output = Buffer.alloc(bytes)
  return {
    init: () => native.C_SignInit(session, mechanism, key),
    finish: () => native.C_Sign(session, text, output),
    finishInPool: () => native.C_SignAsync(session, text, output),
  }
}

async function inSessions<T>(
  connection: Connection,
  count: number,
  use: (sessions: readonly Handle[]) => Promise<T>,
): Promise<T> {
  if (count === 0) return use([])
  return inSessionOfItsOwn(connection, session =>
    inSessions(connection, count - 1, sessions => use([session, ...sessions])),
  )
}

/** The shortest time of each: load on the machine makes calls longer, never shorter. */
async function measure(prepare: () => readonly Operation[]): Promise<Latency> {
  const shortest = { init: Infinity, operation: Infinity, together: Infinity }
  const time = (name: keyof typeof shortest, start: number) => {
    shortest[name] = Math.min(shortest[name], performance.now() - start)
  }
  for (let round = 0; round < rounds; round++) {
    const [operation] = prepare()
    const initStart = performance.now()
    operation!.init()
    time('init', initStart)
    const start = performance.now()
    operation!.finish()
    time('operation', start)
    const operations = prepare()
    for (const { init } of operations) init()
    const startTogether = performance.now()
    await Promise.all(operations.map(({ finishInPool }) => finishInPool()))
    time('together', startTogether)
  }
  const { init, operation, together } = shortest
  return { init, operation, speedUp: (concurrentCalls * operation) / together }
}
