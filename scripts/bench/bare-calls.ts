/**
 * What pkcs11js alone gets from a token behind a network, in one process that does nothing else: calls a second, C_Encrypt and C_Sign in
 * turns, asynchronously in so many sessions, with new keys that are kept on the token.
 * Arguments: library, PIN file, sessions, seconds to warm up, seconds. UV_THREADPOOL_SIZE has to allow as many calls at a time.
 */
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import pkcs11js from 'pkcs11js'
import { openToken } from './bare.ts'

const [library, pinFile, sessions, warmUp, seconds] = process.argv.slice(2) as [string, string, string, string, string]

const { pkcs11, session: first, newSession } = openToken(library, pinFile)

const newKey = (mechanism: number, use: number) =>
  pkcs11.C_GenerateKey(first, { mechanism }, [
    { type: pkcs11js.CKA_TOKEN, value: true },
    { type: pkcs11js.CKA_VALUE_LEN, value: 32 },
    { type: use, value: true },
  ])
const encryptionKey = newKey(pkcs11js.CKM_AES_KEY_GEN, pkcs11js.CKA_ENCRYPT)
const macKey = newKey(pkcs11js.CKM_GENERIC_SECRET_KEY_GEN, pkcs11js.CKA_SIGN)

const [text, aad, iv] = [Buffer.alloc(32), Buffer.alloc(40), Buffer.alloc(12)]
const gcm = {
  mechanism: pkcs11js.CKM_AES_GCM,
  parameter: { type: pkcs11js.CK_PARAMS_AES_GCM_v240, iv, ivBits: 96, aad, tagBits: 128 },
}
const hmac = { mechanism: pkcs11js.CKM_SHA256_HMAC }

let calls = 0
let isOver = false
async function caller(): Promise<void> {
  const session = newSession()
  while (!isOver) {
    pkcs11.C_EncryptInit(session, gcm, encryptionKey)
    await pkcs11.C_EncryptAsync(session, text, Buffer.alloc(48))
    pkcs11.C_SignInit(session, hmac, macKey)
    await pkcs11.C_SignAsync(session, text, Buffer.alloc(32))
    calls += 2
  }
}
const callers = Array.from({ length: Number(sessions) }, caller)
await delay(Number(warmUp) * 1000)
const [before, start] = [calls, performance.now()]
await delay(Number(seconds) * 1000)
console.log(((calls - before) * 1000) / (performance.now() - start))
isOver = true
await Promise.all(callers)
for (const key of [encryptionKey, macKey]) pkcs11.C_DestroyObject(first, key)
