/** The worker's side of each message: unpacks a request, asks the HSM, packs its answer. */
import { Failure } from '../../errors.ts'
import type { SupportedKeySpec } from '../../model/keys/key-spec.ts'
import { CryptokiError, failureFrom, type Recovery, recoveryFrom, recoveryOfHealthy } from '../return-codes.ts'
import { PinRefused } from '../token/connection.ts'
import { FormChanged } from '../token/gcm.ts'
import type { Pkcs11 } from '../token/pkcs11.ts'
import {
  type CallName,
  calls,
  decodeDecrypt,
  decodeEncrypt,
  decodeJson,
  decodeParts,
  decodeRandom,
  encodeBoolean,
  encodeFailure,
  encodeJson,
  encodeParts,
  encodeSealed,
  type InspectionRequest,
  type KeyRequest,
  type Lane,
  type PublicKeyUse,
  repeated,
  status,
} from '../wire/messages.ts'
import { type Awaitable, settle, whenDone } from './awaitable.ts'

/**
 * @param again another worker may have done it already
 * @param part sends a part of the answer; what is returned is the last one
 */
type Handler = (hsm: Pkcs11, payload: Buffer, again: boolean, part: (payload: Buffer) => void) => Awaitable<Buffer>

const nothing = Buffer.alloc(0)

const handlers: Readonly<Record<CallName, Handler>> = {
  encrypt(hsm, payload) {
    const { material, plaintext, aad, ivLength } = decodeEncrypt(payload)
    return whenDone(hsm.encrypt(material, plaintext, aad, ivLength), encodeSealed)
  },
  decrypt(hsm, payload) {
    const { material, iv, ciphertext, aad } = decodeDecrypt(payload)
    return hsm.decrypt(material, iv, ciphertext, aad)
  },
  random: (hsm, payload) => hsm.random(decodeRandom(payload)),
  generateKey,
  generateSlowKey: generateKey,
  async destroyKey(hsm, payload) {
    const { material } = decodeJson<Pick<KeyRequest, 'material'>>(payload)
    await hsm.destroyKey(material)
    return nothing
  },
  async inspectKey(hsm, payload) {
    const { look, publicKey, checkValue, ...key } = decodeJson<InspectionRequest>(payload)
    const held = { ...key, publicKey: optionalBytes(publicKey), checkValue: optionalBytes(checkValue) }
    return encodeJson(await hsm.inspectKey(held, look))
  },
  async objects(hsm, _payload, _again, part) {
    await hsm.list(objects => part(encodeParts(...objects.flatMap(({ id, label }) => [Buffer.from(id, 'hex'), label]))))
    return nothing
  },
  async generateKeyPair(hsm, payload) {
    const { publicKey, privateKey } = await hsm.generateKeyPair(payload.toString() as SupportedKeySpec)
    const answer = encodeParts(publicKey, privateKey)
    privateKey.fill(0)
    return answer
  },
  encryptRaw(hsm, payload) {
    const [algorithm, plaintext, ...key] = decodeParts(payload) as [Buffer, Buffer, ...Buffer[]]
    return hsm.encryptRaw(publicKeyUse(key), text(algorithm), plaintext)
  },
  decryptRaw(hsm, payload) {
    const [algorithm, ciphertext, material, spec] = decodeParts(payload) as [Buffer, Buffer, Buffer, Buffer]
    return hsm.decryptRaw(text(material), text(spec), text(algorithm), ciphertext)
  },
  sign(hsm, payload) {
    const [algorithm, type, message, material, spec] = decodeParts(payload) as [Buffer, Buffer, Buffer, Buffer, Buffer]
    return hsm.sign(text(material), text(spec), text(algorithm), text(type), message)
  },
  async verify(hsm, payload) {
    const [algorithm, type, message, signature, ...key] = decodeParts(payload) as [
      Buffer,
      Buffer,
      Buffer,
      Buffer,
      ...Buffer[],
    ]
    return encodeBoolean(await hsm.verify(publicKeyUse(key), text(algorithm), text(type), message, signature))
  },
  generateMac(hsm, payload) {
    const [algorithm, message, material] = decodeParts(payload) as [Buffer, Buffer, Buffer]
    return hsm.generateMac(text(material), text(algorithm), message)
  },
  async verifyMac(hsm, payload) {
    const [algorithm, message, mac, material] = decodeParts(payload) as [Buffer, Buffer, Buffer, Buffer]
    return encodeBoolean(await hsm.verifyMac(text(material), text(algorithm), message, mac))
  },
  deriveSharedSecret(hsm, payload) {
    const [peer, material, spec] = decodeParts(payload) as [Buffer, Buffer, Buffer]
    return hsm.deriveSharedSecret(text(material), text(spec), peer)
  },
  async logIn(hsm) {
    hsm.logIn()
    return nothing
  },
}

async function generateKey(hsm: Pkcs11, payload: Buffer, again: boolean): Promise<Buffer> {
  const { custody, publicKey, checkValue } = await hsm.generateKey(decodeJson<KeyRequest>(payload), again)
  return encodeParts(JSON.stringify(custody), publicKey ?? '', checkValue ?? '')
}

/** One of the names that the gateway has checked. */
function text<T extends string>(part: Buffer): T {
  return part.toString() as T
}

/** @param base64 */
function optionalBytes(base64: string | undefined): Buffer | undefined {
  return base64 === undefined ? undefined : Buffer.from(base64, 'base64')
}

function publicKeyUse([material, spec, publicKey]: readonly Buffer[]): PublicKeyUse {
  return { material: text(material!), spec: text(spec!), publicKey: publicKey! }
}

interface KindOfCall {
  readonly lane: Lane
  readonly handler: Handler
}

const kinds = new Map<number, KindOfCall>(
  Object.entries(calls).map(([name, { kind, lane }]) => [kind, { lane, handler: handlers[name as CallName] }]),
)

/** @param kind of the request frame */
export function laneOf(kind: number): Lane {
  return kinds.get(kind & ~repeated)!.lane
}

export interface Answer {
  /** One of `status`. */
  readonly kind: number
  readonly payload: Buffer
}

const statuses: Readonly<Partial<Record<Recovery, number>>> = {
  'log in again': status.loginLost,
  'find again': status.busy,
  'back off': status.busy,
  'replace worker': status.ending,
  stop: status.pinRefused,
}

/** A key is not said to be missing by a worker that does not find the canary key either: the next one looks with fresh eyes. */
function unproven(): Answer {
  const cause = new Error('Neither the key nor the canary key is found.')
  const failure = new Failure('KeyUnavailable', 'The HSM is not available.', { cause })
  return { kind: status.ending, payload: encodeFailure({ failure, returnCode: 'NONE' }) }
}

/** Does a call and never fails. @param kind of the request frame. @param part sends a part of a long answer before the rest */
export function answerTo(
  hsm: Pkcs11,
  kind: number,
  payload: Buffer,
  part: (payload: Buffer) => void = () => {},
): Awaitable<Answer> {
  const { handler } = kinds.get(kind & ~repeated)!
  return settle(
    () => handler(hsm, payload, kind >= repeated, part),
    payload => ({ kind: status.ok, payload }),
    error => refusal(hsm, error),
  )
}

async function refusal(hsm: Pkcs11, error: unknown): Promise<Answer> {
  const failure = failureFrom(error)
  if (failure.code === 'InvalidState' && !(await hsm.provesAbsence())) return unproven()
  const returnCode = failure.cause instanceof CryptokiError ? failure.cause.returnCode : 'NONE'
  const payload = encodeFailure({ failure, returnCode })
  if (failure.code === 'InvalidState') return { kind: status.missing, payload }
  return { kind: statuses[await recoveryAfter(hsm, error)] ?? status.failed, payload }
}

async function recoveryAfter(hsm: Pkcs11, error: unknown): Promise<Recovery> {
  if (error instanceof FormChanged) return 'replace worker'
  const recovery = error instanceof PinRefused ? 'stop' : recoveryFrom(error)
  if (recovery !== 'ask the canary') return recovery
  if (!(await hsm.works())) return 'replace worker'
  return hsm.throttles(error) ? 'back off' : recoveryOfHealthy(error)
}
