/** How long the functions of the token take, measured with a key that lives in the session only. */
import { performance } from 'node:perf_hooks'
import type { Connection } from './connection.ts'
import type { Handle } from './cryptoki.ts'
import { aesGcm, keyMechanisms, tagLength } from './mechanisms.ts'
import type { Timing } from './mode.ts'
import { CryptokiError } from './return-codes.ts'
import { trialTemplate } from './templates.ts'

const rounds = 7
const text = Buffer.alloc(32)

/** Of AES-GCM; where the token has none, of two functions that are there on every token. */
export async function timingOf({ cryptoki, session }: Connection): Promise<Timing> {
  const aes = keyMechanisms.SYMMETRIC_DEFAULT!
  let key: Handle
  try {
    key = cryptoki.generateKey(session, { mechanism: aes.generation }, trialTemplate(aes, 'ENCRYPT_DECRYPT'))
    cryptoki.encrypt(session, aesGcm(cryptoki.random(session, 12), text), key, text, text.length + tagLength)
  } catch (error) {
    if (!(error instanceof CryptokiError)) throw error
    return medians(() => [elapsed(() => cryptoki.isLoggedIn(session)), elapsed(() => cryptoki.random(session, 32))])
  }
  try {
    return medians(() => {
      const mechanism = aesGcm(cryptoki.random(session, 12), text)
      return cryptoki.timeEncryption(session, mechanism, key, text, text.length + tagLength)
    })
  } finally {
    cryptoki.destroyObject(session, key)
  }
}

/** Seconds. */
function elapsed(call: () => unknown): number {
  const start = performance.now()
  call()
  return (performance.now() - start) / 1000
}

function medians(measure: () => readonly [init: number, operation: number]): Timing {
  const measured = Array.from({ length: rounds }, measure)
  const median = (part: 0 | 1) => measured.map(times => times[part]).sort((a, b) => a - b)[(rounds - 1) / 2]!
  return { init: median(0), operation: median(1) }
}
