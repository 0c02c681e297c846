/** How long the two calls of an operation take, with keys that live in the session only. */
import { performance } from 'node:perf_hooks'
import type pkcs11js from 'pkcs11js'
import { gcmIvLengths, type Profile } from '../profiles/profile.ts'
import type { Connection } from '../token/connection.ts'
import { type Gcm, sealing } from '../token/gcm.ts'
import { macs } from '../token/mechanisms.ts'
import { attempt } from '../token/probe.ts'
import { destroyTrialKey, generateTrialKey } from './exercises.ts'
import type { Latency } from './findings.ts'

const text = Buffer.alloc(32, 'text')
const aad = Buffer.alloc(64, 'aad')
/** An operation costs from microseconds to milliseconds: few enough rounds for the one, enough for a median. */
const rounds = 9

interface Operation {
  init(): void
  operate(): void
}

/** Of AES-GCM, or of HMAC where the token has no AES-GCM. Undefined where it has neither. */
export async function latencyOf(connection: Connection, profile: Profile, gcm: Gcm | undefined) {
  const spec = gcm === undefined ? 'HMAC_256' : 'SYMMETRIC_DEFAULT'
  const usage = gcm === undefined ? 'GENERATE_VERIFY_MAC' : 'ENCRYPT_DECRYPT'
  const { value } = await attempt(profile, async () => {
    const trial = await generateTrialKey(connection, spec, usage)
    try {
      return measure(() =>
        gcm === undefined ? signing(connection, trial.key) : encryption(connection, trial.key, gcm),
      )
    } finally {
      destroyTrialKey(connection, trial)
    }
  })
  return value
}

function encryption({ cryptoki, session }: Connection, key: Buffer, gcm: Gcm): Operation {
  const { native } = cryptoki
  const drawIv = () => cryptoki.random(session, gcmIvLengths[gcm.iv])
  const { mechanism, outputLength } = sealing(gcm, text, aad, drawIv)
  return {
    init: () => native.C_EncryptInit(session, mechanism as pkcs11js.Mechanism, key),
    operate: () => native.C_Encrypt(session, text, Buffer.alloc(outputLength)),
  }
}

function signing({ cryptoki: { native }, session }: Connection, key: Buffer): Operation {
  const { mechanism, bytes } = macs.HMAC_SHA_256
  return {
    init: () => native.C_SignInit(session, mechanism, key),
    operate: () => native.C_Sign(session, text, Buffer.alloc(bytes)),
  }
}

function measure(prepare: () => Operation): Latency {
  const inits: number[] = []
  const operations: number[] = []
  for (let round = 0; round < rounds; round++) {
    const { init, operate } = prepare()
    const start = performance.now()
    init()
    const between = performance.now()
    operate()
    inits.push(between - start)
    operations.push(performance.now() - between)
  }
  return { init: median(inits), operation: median(operations) }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!
}
