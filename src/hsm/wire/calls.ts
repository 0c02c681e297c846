/** Every call of a worker, one row each: the gateway packs the request and unpacks the answer by it, the worker the other way round. */
import type {
  EncryptionAlgorithmSpec,
  KeyUsageType,
  MacAlgorithmSpec,
  MessageType,
  SigningAlgorithmSpec,
} from '@aws-sdk/client-kms'
import type { Custody, CustodyFault } from '../../model/keys/key.ts'
import type { SupportedKeySpec } from '../../model/keys/key-spec.ts'
import type { TransferAlgorithm, WrappingAlgorithm, WrappingKeySpec } from '../../model/keys/wrapping-algorithm.ts'
import type { HeldKey, InspectionDepth } from '../hsm.ts'
import {
  bytes,
  fields,
  flag,
  hex,
  hexBytes,
  list,
  type Message,
  message,
  nothing,
  optional,
  record,
  secret,
  sequence,
  text,
  u8,
  u32,
  wholePayload,
} from './fields.ts'

/** Calls of one lane wait for one another. */
export type Lane = 'cryptography' | 'generation' | 'management'

export interface CallRow {
  /** Of the request frame: 1 to 126. */
  readonly kind: number
  readonly lane: Lane
  /** The time-out, in multiples of the configured one. */
  readonly timeoutFactor: number
  // biome-ignore lint/suspicious/noExplicitAny: of each row its own
  readonly request: Message<any, any>
  // biome-ignore lint/suspicious/noExplicitAny: of each row its own
  readonly answer: Message<any, any>
}

/** Uses existing keys. */
const cryptography = { lane: 'cryptography', timeoutFactor: 1 } as const
/** Generates RSA keys or data key pairs, which may take seconds: few at a time. */
const generation = { lane: 'generation', timeoutFactor: 5 } as const
/** Changes or lists objects. */
const management = { lane: 'management', timeoutFactor: 5 } as const

/** CKA_ID. */
const object = hex(32)
const spec = text<SupportedKeySpec>()
const usage = text<KeyUsageType>()
const encryptionAlgorithm = text<EncryptionAlgorithmSpec>()
const signingAlgorithm = text<SigningAlgorithmSpec>()
const macAlgorithm = text<MacAlgorithmSpec>()
const messageType = text<MessageType>()
const custody = record({
  sensitive: flag,
  extractable: flag,
  alwaysSensitive: flag,
  neverExtractable: flag,
  local: optional(flag),
  imported: optional(flag),
  bridged: optional(flag),
  wrapWithTrusted: optional(flag),
})
const wrappingSpec = text<WrappingKeySpec>()

/** The same call in two lanes, so that other keys do not wait for RSA keys. */
const keyGeneration = {
  request: fields({ object, spec, usage, label: text<string>(), wrapWithTrusted: optional(flag) }),
  answer: fields({
    custody,
    publicKey: optional(bytes),
    checkValue: optional(bytes),
    fingerprint: optional(bytes),
  }),
} as const

/** Every call may be retried on another worker, which first searches for the key if it is to create one. */
export const calls = {
  encrypt: {
    kind: 1,
    ...cryptography,
    /** `ivLength`: bytes of the requested IV; 0 for any. */
    request: fields({ object, ivLength: u8, aad: bytes, plaintext: bytes }),
    answer: fields({ iv: bytes, ciphertext: bytes }),
  },
  decrypt: {
    kind: 2,
    ...cryptography,
    request: fields({ object, iv: bytes, aad: bytes, ciphertext: bytes }),
    answer: wholePayload,
  },
  /** Three steps in one call, as two calls would cost twice as much. */
  encryptChecked: {
    kind: 21,
    ...cryptography,
    request: fields({ object, aad: bytes, hashed: bytes, plaintext: bytes }),
    answer: fields({ iv: bytes, ciphertext: bytes, digest: bytes }),
  },
  random: { kind: 3, ...cryptography, request: message(u32), answer: wholePayload },
  generateKey: { kind: 4, ...management, ...keyGeneration },
  generateSlowKey: { kind: 17, ...generation, ...keyGeneration },
  importKey: {
    kind: 18,
    ...management,
    request: fields({ object, spec, usage, label: text<string>(), bytes: secret }),
    answer: keyGeneration.answer,
  },
  createWrappingKey: {
    kind: 19,
    ...generation,
    request: fields({ object, spec: wrappingSpec, label: text<string>(), wraps: optional(spec) }),
    answer: keyGeneration.answer,
  },
  unwrapKey: {
    kind: 20,
    ...management,
    request: fields({
      object,
      spec,
      usage,
      label: text<string>(),
      wrappingKey: object,
      wrappingSpec,
      algorithm: text<WrappingAlgorithm>(),
      bytes,
    }),
    answer: keyGeneration.answer,
  },
  wrapKey: {
    kind: 22,
    ...management,
    request: fields({ object, publicKey: bytes, algorithm: text<TransferAlgorithm>() }),
    answer: message(optional(bytes)),
  },
  receiveKey: {
    kind: 23,
    ...management,
    request: fields({
      object,
      spec,
      usage,
      label: text<string>(),
      wrapWithTrusted: optional(flag),
      wrappingKey: object,
      wrappingSpec,
      algorithm: text<TransferAlgorithm>(),
      bytes,
    }),
    answer: keyGeneration.answer,
  },
  generateKeyPair: {
    kind: 7,
    ...generation,
    request: fields({ spec }),
    answer: fields({ publicKey: bytes, privateKey: secret }),
  },
  destroyKey: { kind: 5, ...management, request: fields({ object }), answer: nothing },
  /** Answered in parts. */
  objects: {
    kind: 6,
    ...management,
    request: nothing,
    answer: sequence(record({ id: hexBytes, label: text<string>() })),
  },
  encryptRaw: {
    kind: 8,
    ...cryptography,
    request: fields({ object, spec, publicKey: bytes, algorithm: encryptionAlgorithm, plaintext: bytes }),
    answer: wholePayload,
  },
  decryptRaw: {
    kind: 9,
    ...cryptography,
    request: fields({ object, spec, algorithm: encryptionAlgorithm, ciphertext: bytes }),
    answer: wholePayload,
  },
  sign: {
    kind: 10,
    ...cryptography,
    request: fields({ object, spec, algorithm: signingAlgorithm, type: messageType, message: bytes }),
    answer: wholePayload,
  },
  verify: {
    kind: 11,
    ...cryptography,
    request: fields({
      object,
      spec,
      publicKey: bytes,
      algorithm: signingAlgorithm,
      type: messageType,
      message: bytes,
      signature: bytes,
    }),
    answer: message(flag),
  },
  generateMac: {
    kind: 12,
    ...cryptography,
    request: fields({ object, algorithm: macAlgorithm, message: bytes }),
    answer: wholePayload,
  },
  verifyMac: {
    kind: 13,
    ...cryptography,
    request: fields({ object, algorithm: macAlgorithm, message: bytes, mac: bytes }),
    answer: message(flag),
  },
  deriveSharedSecret: {
    kind: 14,
    ...cryptography,
    request: fields({ object, spec, peer: bytes }),
    answer: wholePayload,
  },
  /** Sent to every worker, as each has its own view of the token. */
  inspectKey: {
    kind: 16,
    ...cryptography,
    request: fields({
      object,
      spec,
      usage: text<HeldKey['usage']>(),
      publicKey: optional(bytes),
      checkValue: optional(bytes),
      imported: optional(flag),
      wrapWithTrusted: optional(flag),
      depth: text<InspectionDepth>(),
    }),
    answer: fields({
      fault: optional(text<CustodyFault>()),
      attributes: optional(list(text<keyof Custody>())),
    }),
  },
  /** Meant for one worker: never retried, never on another. */
  logIn: { kind: 15, ...management, request: nothing, answer: nothing },
} as const satisfies Readonly<Record<string, CallRow>>

export type CallName = keyof typeof calls
type Calls = typeof calls

/** The request as the gateway packs it, */
export type RequestTo<N extends CallName> = Parameters<Calls[N]['request']['encode']>[0]
/** and as the worker unpacks it. */
export type RequestOf<N extends CallName> = ReturnType<Calls[N]['request']['decode']>
/** The answer as the worker packs it, */
export type AnswerTo<N extends CallName> = Parameters<Calls[N]['answer']['encode']>[0]
/** and as the gateway unpacks it. */
export type AnswerOf<N extends CallName> = ReturnType<Calls[N]['answer']['decode']>

/** What a worker knows of a call besides the request. */
export interface CallContext<N extends CallName> {
  /** A worker may have executed the call already. */
  readonly isRetry: boolean
  /** Sends a part of the answer, before the returned one. */
  readonly part: (answer: AnswerTo<N>) => void
}

/** An implementation of every call. */
export type Work = {
  readonly [N in CallName]: (request: RequestOf<N>, context: CallContext<N>) => Promise<AnswerTo<N>>
}

/** A key whose public key is used. */
export type PublicKeyUse = Pick<RequestOf<'verify'>, 'object' | 'spec' | 'publicKey'>

/** By kind of the request frame. */
export const callNames: ReadonlyMap<number, CallName> = new Map(
  Object.entries(calls).map(([name, { kind }]) => [kind, name as CallName]),
)
