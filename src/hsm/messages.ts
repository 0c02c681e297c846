/** What the frames between the gateway and its workers carry: binary for the calls that are frequent, JSON for the rest. */
import type { KeyUsageType } from '@aws-sdk/client-kms'
import { Failure, type FailureCode, failures } from '../errors.ts'
import type { SupportedKeySpec } from '../model/key-spec.ts'
import type { Sealed } from './hsm.ts'

/**
 * `repeatable`: a second worker may be asked when the first one died before it answered. `alone`: where the profile wants it,
 * no other call runs in any worker meanwhile.
 */
export const calls = {
  encrypt: { kind: 1, repeatable: true, alone: false },
  decrypt: { kind: 2, repeatable: true, alone: false },
  random: { kind: 3, repeatable: true, alone: false },
  generateKey: { kind: 4, repeatable: false, alone: true },
  destroyKey: { kind: 5, repeatable: false, alone: true },
  objects: { kind: 6, repeatable: true, alone: true },
  generateKeyPair: { kind: 7, repeatable: true, alone: false },
  encryptRaw: { kind: 8, repeatable: true, alone: false },
  decryptRaw: { kind: 9, repeatable: true, alone: false },
  sign: { kind: 10, repeatable: true, alone: false },
  verify: { kind: 11, repeatable: true, alone: false },
  generateMac: { kind: 12, repeatable: true, alone: false },
  verifyMac: { kind: 13, repeatable: true, alone: false },
  deriveSharedSecret: { kind: 14, repeatable: true, alone: false },
  inspectKey: { kind: 15, repeatable: true, alone: false },
} as const
export type CallName = keyof typeof calls

export const status = {
  ok: 0,
  failed: 1,
  /** Failed, and the worker ends because it can do nothing more: the call may be repeated elsewhere where that is safe. */
  ending: 2,
} as const

/** Id of the one response that no request asked for: `ok` when the worker is logged in, `failed` when it could not start. */
export const startId = 0

/** Why a worker could not start. After `pinRefused` no further worker may try the same PIN: tokens lock themselves. */
export interface StartFailure {
  readonly message: string
  readonly pinRefused: boolean
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
  throw new Failure('KMSInternalException', '', { cause: new TypeError('A material id is 64 hex digits.') })
}

/** Layout: material (32) | length of the AAD (u32) | AAD | plaintext. */
export function encodeEncrypt(material: string, plaintext: Uint8Array, aad: Uint8Array): Buffer {
  const aadStart = materialBytes + lengthBytes
  const payload = Buffer.allocUnsafe(aadStart + aad.length + plaintext.length)
  writeMaterial(payload, material)
  payload.writeUInt32BE(aad.length, materialBytes)
  payload.set(aad, aadStart)
  payload.set(plaintext, aadStart + aad.length)
  return payload
}

export function decodeEncrypt(payload: Buffer): { material: string; plaintext: Buffer; aad: Buffer } {
  const aadStart = materialBytes + lengthBytes
  const aadEnd = aadStart + payload.readUInt32BE(materialBytes)
  return {
    material: payload.toString('hex', 0, materialBytes),
    aad: payload.subarray(aadStart, aadEnd),
    plaintext: payload.subarray(aadEnd),
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
}

export function encodeFailure({ failure, returnCode }: CallFailure): Buffer {
  const cause = failure.cause instanceof Error ? failure.cause.message : undefined
  return encodeJson({ code: failure.code, message: failure.message, cause, returnCode })
}

export function decodeFailure(payload: Buffer): CallFailure {
  const sent = decodeJson<{ code: FailureCode; message: string; cause?: string; returnCode: string }>(payload)
  const code = Object.hasOwn(failures, sent.code) ? sent.code : 'KMSInternalException'
  const options = sent.cause === undefined ? {} : { cause: new Error(sent.cause) }
  return { failure: new Failure(code, sent.message, options), returnCode: sent.returnCode }
}
