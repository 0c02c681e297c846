/** What the frames between the gateway and its workers carry: binary for the calls that are frequent, JSON for the rest. */
import type { KeyUsageType } from '@aws-sdk/client-kms'
import { Failure, type FailureCode, failures } from '../../errors.ts'
import type { SupportedKeySpec } from '../../model/keys/key-spec.ts'
import type { Sealed } from '../hsm.ts'
import type { Capabilities } from '../token/capabilities.ts'
import type { Mode } from '../worker/mode.ts'

/**
 * `cryptography`: uses keys that are there, and is done in whichever thread of a worker has nothing to do. `generation`: makes RSA keys or
 * data key pairs, which may take seconds, so only a few of them are done at the same time. `management`: changes or lists objects. The last two are given more
 * time. Every call may be repeated: the creation of a key by whoever searches for it first.
 */
export const calls = {
  encrypt: { kind: 1, lane: 'cryptography' },
  decrypt: { kind: 2, lane: 'cryptography' },
  random: { kind: 3, lane: 'cryptography' },
  generateKey: { kind: 4, lane: 'management' },
  /** The same of a key that takes long: RSA. */
  generateSlowKey: { kind: 17, lane: 'generation' },
  destroyKey: { kind: 5, lane: 'management' },
  objects: { kind: 6, lane: 'management' },
  generateKeyPair: { kind: 7, lane: 'generation' },
  encryptRaw: { kind: 8, lane: 'cryptography' },
  decryptRaw: { kind: 9, lane: 'cryptography' },
  sign: { kind: 10, lane: 'cryptography' },
  verify: { kind: 11, lane: 'cryptography' },
  generateMac: { kind: 12, lane: 'cryptography' },
  verifyMac: { kind: 13, lane: 'cryptography' },
  deriveSharedSecret: { kind: 14, lane: 'cryptography' },
  /** Every worker is asked: each has its own picture of the token. */
  inspectKey: { kind: 16, lane: 'cryptography' },
  /** Only between a gateway and one worker: never repeated, never by another. */
  logIn: { kind: 15, lane: 'management' },
} as const
export type CallName = keyof typeof calls
export type Lane = (typeof calls)[CallName]['lane']

/** Added to the kind of a call that another worker may have done already. */
export const repeated = 0x80
/** Kind of the one request with `startId`: load the library, open the token and log in. A spare worker waits for it. */
export const openToken = 0x7f

export const status = {
  ok: 0,
  failed: 1,
  /** Not the end of an answer: a part of it, with the rest to come. */
  part: 5,
  /** Failed, and the worker ends because it can do nothing more: the call may be repeated elsewhere. */
  ending: 2,
  /** Failed, as the worker is not logged in any more. It logs in again when it is told to: one after another, for the PIN's sake. */
  loginLost: 3,
  /** Failed, as the HSM has too much to do, or contradicts itself: the call may be repeated after a pause. */
  busy: 4,
  /** Failed, as the token refused the PIN: nobody may try it again. */
  pinRefused: 6,
  /** Failed, as the HSM does not hold the key, unless it is on its way from one HSM to another: the call may be repeated after a pause. */
  missing: 9,
  /** With `startId`; no answer: the worker searches the token now, and nothing is heard of it until that is done. */
  searching: 7,
  /** With `startId`; no answer: the library has read what it reads at first, and the token is looked for and logged in to. */
  initialised: 8,
} as const

/** Id of `openToken` and its answer: `ok` with a WorkerReport when the worker is logged in, `failed` with a StartFailure otherwise. */
export const startId = 0

/** What a worker says when it is ready. */
export interface WorkerReport {
  /** How many calls it takes at a time. */
  readonly capacity: number
  readonly mode: Mode
  readonly capabilities: Capabilities
}

/**
 * Why a worker could not start. After `pinRefused` no further worker may try the same PIN: tokens lock themselves. `untrusted`: the
 * token is there, but does not hold the key that it should be known by.
 */
export interface StartFailure {
  readonly message: string
  readonly reason: 'unavailable' | 'pinRefused' | 'untrusted'
}

export interface KeyRequest {
  readonly material: string
  readonly spec: SupportedKeySpec
  readonly usage: KeyUsageType
  readonly label: string
}

export interface InspectionRequest extends Omit<KeyRequest, 'label'> {
  /** Base64. */
  readonly publicKey?: string | undefined
  /** Base64. */
  readonly checkValue?: string | undefined
  readonly look: 'quick' | 'thorough'
}

/** A key whose public half is used. */
export interface PublicKeyUse {
  readonly material: string
  readonly spec: SupportedKeySpec
  readonly publicKey: Buffer
}

const materialBytes = 32
const lengthBytes = 4

function writeMaterial(payload: Buffer, material: string): void {
  if (payload.write(material, 'hex') === materialBytes && material.length === 2 * materialBytes) return
  throw new Failure('Internal', '', { cause: new TypeError('A material id is 64 hex digits.') })
}

/** Layout: material (32) | length of the AAD (u32) | AAD | plaintext. */
interface EncryptRequest {
  readonly material: string
  readonly plaintext: Buffer
  readonly aad: Buffer
  /** Bytes of the IV that is wanted; 0 for any. */
  readonly ivLength: number
}

/** @param ivLength of the IV that is wanted; 0 for any */
export function encodeEncrypt(material: string, plaintext: Uint8Array, aad: Uint8Array, ivLength = 0): Buffer {
  const aadStart = materialBytes + lengthBytes + 1
  const payload = Buffer.allocUnsafe(aadStart + aad.length + plaintext.length)
  writeMaterial(payload, material)
  payload.writeUInt32BE(aad.length, materialBytes)
  payload[aadStart - 1] = ivLength
  payload.set(aad, aadStart)
  payload.set(plaintext, aadStart + aad.length)
  return payload
}

export function decodeEncrypt(payload: Buffer): EncryptRequest {
  const aadStart = materialBytes + lengthBytes + 1
  const aadEnd = aadStart + payload.readUInt32BE(materialBytes)
  return {
    material: payload.toString('hex', 0, materialBytes),
    aad: payload.subarray(aadStart, aadEnd),
    plaintext: payload.subarray(aadEnd),
    ivLength: payload[aadStart - 1]!,
  }
}

/** Layout: material (32) | length of the IV (u32) | length of the AAD (u32) | IV | AAD | ciphertext and tag. */
export function encodeDecrypt(material: string, { iv, ciphertext }: Sealed, aad: Uint8Array): Buffer {
  const ivStart = materialBytes + 2 * lengthBytes
  const payload = Buffer.allocUnsafe(ivStart + iv.length + aad.length + ciphertext.length)
  writeMaterial(payload, material)
  payload.writeUInt32BE(iv.length, materialBytes)
  payload.writeUInt32BE(aad.length, materialBytes + lengthBytes)
  payload.set(iv, ivStart)
  payload.set(aad, ivStart + iv.length)
  payload.set(ciphertext, ivStart + iv.length + aad.length)
  return payload
}

export function decodeDecrypt(payload: Buffer): { material: string; iv: Buffer; aad: Buffer; ciphertext: Buffer } {
  const ivStart = materialBytes + 2 * lengthBytes
  const ivEnd = ivStart + payload.readUInt32BE(materialBytes)
  const aadEnd = ivEnd + payload.readUInt32BE(materialBytes + lengthBytes)
  return {
    material: payload.toString('hex', 0, materialBytes),
    iv: payload.subarray(ivStart, ivEnd),
    aad: payload.subarray(ivEnd, aadEnd),
    ciphertext: payload.subarray(aadEnd),
  }
}

/** Layout: length of the IV (u32) | IV | ciphertext and tag. */
export function encodeSealed({ iv, ciphertext }: Sealed): Buffer {
  const payload = Buffer.allocUnsafe(lengthBytes + iv.length + ciphertext.length)
  payload.writeUInt32BE(iv.length)
  payload.set(iv, lengthBytes)
  payload.set(ciphertext, lengthBytes + iv.length)
  return payload
}

export function decodeSealed(payload: Buffer): Sealed {
  const ivEnd = lengthBytes + payload.readUInt32BE()
  return { iv: payload.subarray(lengthBytes, ivEnd), ciphertext: payload.subarray(ivEnd) }
}

/** Layout: number of bytes (u32). */
export function encodeRandom(length: number): Buffer {
  const payload = Buffer.allocUnsafe(lengthBytes)
  payload.writeUInt32BE(length)
  return payload
}

export function decodeRandom(payload: Buffer): number {
  return payload.readUInt32BE()
}

/** Layout of each part: its length (u32) | its bytes. */
export function encodeParts(...parts: readonly (Uint8Array | string)[]): Buffer {
  const bytes = parts.map(part => (typeof part === 'string' ? Buffer.from(part) : part))
  const payload = Buffer.allocUnsafe(bytes.reduce((sum, { length }) => sum + lengthBytes + length, 0))
  let offset = 0
  for (const part of bytes) {
    offset = payload.writeUInt32BE(part.length, offset)
    payload.set(part, offset)
    offset += part.length
  }
  return payload
}

/** As many parts as were encoded. */
export function decodeParts(payload: Buffer): readonly Buffer[] {
  const parts: Buffer[] = []
  for (let offset = 0; offset < payload.length; ) {
    const start = offset + lengthBytes
    offset = start + payload.readUInt32BE(offset)
    parts.push(payload.subarray(start, offset))
  }
  return parts
}

export function encodeBoolean(value: boolean): Buffer {
  return Buffer.of(value ? 1 : 0)
}

export function decodeBoolean(payload: Buffer): boolean {
  return payload[0] === 1
}

export function encodeJson(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}

export function decodeJson<T>(payload: Buffer): T {
  return JSON.parse(payload.toString()) as T
}

/** How a call failed in a worker: the failure and, for logs and metrics, the PKCS#11 return code behind it. */
export interface CallFailure {
  readonly failure: Failure
  readonly returnCode: string
  /** Nobody may try the PIN again. */
  readonly pinRefused?: boolean
}

export function encodeFailure({ failure, returnCode }: CallFailure): Buffer {
  const cause = failure.cause instanceof Error ? failure.cause.message : undefined
  return encodeJson({ code: failure.code, message: failure.message, cause, returnCode })
}

export function decodeFailure(payload: Buffer): CallFailure {
  const sent = decodeJson<{ code: FailureCode; message: string; cause?: string; returnCode: string }>(payload)
  const code = Object.hasOwn(failures, sent.code) ? sent.code : 'Internal'
  const options = sent.cause === undefined ? {} : { cause: new Error(sent.cause) }
  return { failure: new Failure(code, sent.message, options), returnCode: sent.returnCode }
}
