/** Every call that a worker does: one row each, by which the gateway packs its request and the worker unpacks it, and the other way round. */
import type {
  EncryptionAlgorithmSpec,
  KeyUsageType,
  MacAlgorithmSpec,
  MessageType,
  SigningAlgorithmSpec,
} from '@aws-sdk/client-kms'
import type { Custody, CustodyFault } from '../../model/keys/key.ts'
import type { SupportedKeySpec } from '../../model/keys/key-spec.ts'
import type { InspectionDepth } from '../hsm.ts'
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

/** Which calls wait for one another. */
export type Lane = 'cryptography' | 'generation' | 'management'

export interface CallRow {
  /** Of the request frame: 1 to 126. */
  readonly kind: number
  readonly lane: Lane
  /** How many times the configured time-out such a call has. */
  readonly timeoutFactor: number
  // biome-ignore lint/suspicious/noExplicitAny: of each row its own
  readonly request: Message<any, any>
  // biome-ignore lint/suspicious/noExplicitAny: of each row its own
  readonly answer: Message<any, any>
}

/** Uses keys that are there. */
const cryptography = { lane: 'cryptography', timeoutFactor: 1 } as const
/** Makes RSA keys or data key pairs, which may take seconds: only a few of them are done at the same time. */
const generation = { lane: 'generation', timeoutFactor: 5 } as const
/** Changes or lists objects. */
const management = { lane: 'management', timeoutFactor: 5 } as const

/** CKA_ID. */
const material = hex(32)
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
})

/** The same call in two lanes: nobody is to wait for an RSA key who asks for another one. */
const keyGeneration = {
  request: fields({ material, spec, usage, label: text<string>() }),
  answer: fields({ custody, publicKey: optional(bytes), checkValue: optional(bytes) }),
} as const

/** Every call may be repeated by another worker: the creation of a key by whoever searches for it first. */
export const calls = {
  encrypt: {
    kind: 1,
    ...cryptography,
    /** `ivLength`: bytes of the IV that is wanted; 0 for any. */
    request: fields({ material, ivLength: u8, aad: bytes, plaintext: bytes }),
    answer: fields({ iv: bytes, ciphertext: bytes }),
  },
  decrypt: {
    kind: 2,
    ...cryptography,
    request: fields({ material, iv: bytes, aad: bytes, ciphertext: bytes }),
    answer: wholePayload,
  },
  random: { kind: 3, ...cryptography, request: message(u32), answer: wholePayload },
  generateKey: { kind: 4, ...management, ...keyGeneration },
  generateSlowKey: { kind: 17, ...generation, ...keyGeneration },
  generateKeyPair: {
    kind: 7,
    ...generation,
    request: fields({ spec }),
    answer: fields({ publicKey: bytes, privateKey: secret }),
  },
  destroyKey: { kind: 5, ...management, request: fields({ material }), answer: nothing },
  /** Its answer comes in parts. */
  objects: {
    kind: 6,
    ...management,
    request: nothing,
    answer: sequence(record({ id: hexBytes, label: text<string>() })),
  },
  encryptRaw: {
    kind: 8,
    ...cryptography,
    request: fields({ material, spec, publicKey: bytes, algorithm: encryptionAlgorithm, plaintext: bytes }),
    answer: wholePayload,
  },
  decryptRaw: {
    kind: 9,
    ...cryptography,
    request: fields({ material, spec, algorithm: encryptionAlgorithm, ciphertext: bytes }),
    answer: wholePayload,
  },
  sign: {
    kind: 10,
    ...cryptography,
    request: fields({ material, spec, algorithm: signingAlgorithm, type: messageType, message: bytes }),
    answer: wholePayload,
  },
  verify: {
    kind: 11,
    ...cryptography,
    request: fields({
      material,
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
    request: fields({ material, algorithm: macAlgorithm, message: bytes }),
    answer: wholePayload,
  },
  verifyMac: {
    kind: 13,
    ...cryptography,
    request: fields({ material, algorithm: macAlgorithm, message: bytes, mac: bytes }),
    answer: message(flag),
  },
  deriveSharedSecret: {
    kind: 14,
    ...cryptography,
    request: fields({ material, spec, peer: bytes }),
    answer: wholePayload,
  },
  /** Every worker is asked: each has its own picture of the token. */
  inspectKey: {
    kind: 16,
    ...cryptography,
    request: fields({
      material,
      spec,
      usage,
      publicKey: optional(bytes),
      checkValue: optional(bytes),
      depth: text<InspectionDepth>(),
    }),
    answer: fields({
      fault: optional(text<CustodyFault>()),
      attributes: optional(list(text<keyof Custody>())),
    }),
  },
  /** Only between a gateway and one worker: never repeated, never by another. */
  logIn: { kind: 15, ...management, request: nothing, answer: nothing },
} as const satisfies Readonly<Record<string, CallRow>>

export type CallName = keyof typeof calls
type Calls = typeof calls

/** What the gateway packs. */
export type RequestTo<N extends CallName> = Parameters<Calls[N]['request']['encode']>[0]
/** The same as the worker unpacks it. */
export type RequestOf<N extends CallName> = ReturnType<Calls[N]['request']['decode']>
/** What the worker packs. */
export type AnswerTo<N extends CallName> = Parameters<Calls[N]['answer']['encode']>[0]
/** The same as the gateway unpacks it. */
export type AnswerOf<N extends CallName> = ReturnType<Calls[N]['answer']['decode']>

/** What a worker is told about a call besides its request. */
export interface CallContext<N extends CallName> {
  /** A worker, this one or another, may have done it already. */
  readonly isRetry: boolean
  /** Sends a part of the answer; what is returned is the last one. */
  readonly part: (answer: AnswerTo<N>) => void
}

/** Whoever does all of the calls. */
export type Work = {
  readonly [N in CallName]: (request: RequestOf<N>, context: CallContext<N>) => Promise<AnswerTo<N>>
}

/** A key whose public half is used. */
export type PublicKeyUse = Pick<RequestOf<'verify'>, 'material' | 'spec' | 'publicKey'>

/** By the kind of its request frame. */
export const callNames: ReadonlyMap<number, CallName> = new Map(
  Object.entries(calls).map(([name, { kind }]) => [kind, name as CallName]),
)
