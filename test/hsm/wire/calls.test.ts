import fc, { type Arbitrary } from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type AnswerTo,
  type CallName,
  type CallRow,
  callNames,
  calls,
  type RequestTo,
} from '../../../src/hsm/wire/calls.ts'
import { wholePayload } from '../../../src/hsm/wire/fields.ts'
import { openToken, retryFlag } from '../../../src/hsm/wire/messages.ts'

/** Messages between the two ends of a worker's socket arrive unchanged, or not at all. */

const octets = fc.uint8Array({ maxLength: 300 }).map(array => Buffer.from(array))
const hex = octets.map(octets => octets.toString('hex'))
const object = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(octets => Buffer.from(octets).toString('hex'))
const optional = fc.option(octets, { nil: undefined })
const flag = fc.option(fc.boolean(), { nil: undefined })
const spec = fc.constantFrom('SYMMETRIC_DEFAULT', 'RSA_2048', 'ML_DSA_87')
const usage = fc.constantFrom('ENCRYPT_DECRYPT', 'SIGN_VERIFY')
const algorithm = fc.constantFrom('RSASSA_PSS_SHA_256', 'ECDSA_SHA_256')
const oaep = fc.constantFrom('RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256')
const macAlgorithm = fc.constantFrom('HMAC_SHA_224', 'HMAC_SHA_512')
const type = fc.constantFrom('RAW', 'DIGEST')
const attribute = fc.constantFrom('sensitive', 'extractable', 'local')
const empty = fc.constant(undefined)

const keyGeneration = {
  request: fc.record({ object, spec, usage, label: fc.string({ unit: 'grapheme' }), wrapWithTrusted: flag }),
  answer: fc.record({
    custody: fc.record({
      sensitive: fc.boolean(),
      extractable: fc.boolean(),
      alwaysSensitive: fc.boolean(),
      neverExtractable: fc.boolean(),
      local: flag,
      imported: flag,
      bridged: flag,
      wrapWithTrusted: flag,
    }),
    publicKey: optional,
    checkValue: optional,
    fingerprint: optional,
  }),
}

/** What each call may be asked, and answer. */
const samples = {
  encrypt: {
    request: fc.record({ object, ivLength: fc.nat(255), aad: octets, plaintext: octets }),
    answer: fc.record({ iv: octets, ciphertext: octets }),
  },
  decrypt: { request: fc.record({ object, iv: octets, aad: octets, ciphertext: octets }), answer: octets },
  encryptChecked: {
    request: fc.record({ object, aad: octets, hashed: octets, plaintext: octets }),
    answer: fc.record({ iv: octets, ciphertext: octets, digest: octets }),
  },
  random: { request: fc.nat(2 ** 32 - 1), answer: octets },
  generateKey: keyGeneration,
  generateSlowKey: keyGeneration,
  importKey: {
    request: fc.record({ object, spec, usage, label: fc.string({ unit: 'grapheme' }), bytes: octets }),
    answer: keyGeneration.answer,
  },
  createWrappingKey: {
    request: fc.record({
      object,
      spec: fc.constantFrom('RSA_2048', 'RSA_4096'),
      label: fc.string({ unit: 'grapheme' }),
      wraps: fc.option(spec, { nil: undefined }),
    }),
    answer: keyGeneration.answer,
  },
  unwrapKey: {
    request: fc.record({
      object,
      spec,
      usage,
      label: fc.string({ unit: 'grapheme' }),
      wrappingKey: object,
      wrappingSpec: fc.constantFrom('RSA_2048', 'RSA_4096'),
      algorithm: fc.constantFrom('RSAES_OAEP_SHA_1', 'RSA_AES_KEY_WRAP_SHA_256'),
      bytes: octets,
    }),
    answer: keyGeneration.answer,
  },
  wrapKey: { request: fc.record({ object, publicKey: octets, algorithm: oaep }), answer: optional },
  receiveKey: {
    request: fc.record({
      object,
      spec,
      usage,
      label: fc.string({ unit: 'grapheme' }),
      wrapWithTrusted: flag,
      wrappingKey: object,
      wrappingSpec: fc.constant('RSA_3072' as const),
      algorithm: oaep,
      bytes: octets,
    }),
    answer: keyGeneration.answer,
  },
  generateKeyPair: { request: fc.record({ spec }), answer: fc.record({ publicKey: octets, privateKey: octets }) },
  destroyKey: { request: fc.record({ object }), answer: empty },
  objects: { request: empty, answer: fc.array(fc.record({ id: hex, label: fc.string({ unit: 'grapheme' }) })) },
  encryptRaw: {
    request: fc.record({ object, spec, publicKey: octets, algorithm: oaep, plaintext: octets }),
    answer: octets,
  },
  decryptRaw: { request: fc.record({ object, spec, algorithm: oaep, ciphertext: octets }), answer: octets },
  sign: { request: fc.record({ object, spec, algorithm, type, message: octets }), answer: octets },
  verify: {
    request: fc.record({ object, spec, publicKey: octets, algorithm, type, message: octets, signature: octets }),
    answer: fc.boolean(),
  },
  generateMac: { request: fc.record({ object, algorithm: macAlgorithm, message: octets }), answer: octets },
  verifyMac: {
    request: fc.record({ object, algorithm: macAlgorithm, message: octets, mac: octets }),
    answer: fc.boolean(),
  },
  deriveSharedSecret: { request: fc.record({ object, spec, peer: octets }), answer: octets },
  inspectKey: {
    request: fc.record({
      object,
      spec,
      usage,
      publicKey: optional,
      checkValue: optional,
      imported: flag,
      wrapWithTrusted: flag,
      depth: fc.constantFrom('quick', 'thorough'),
    }),
    answer: fc.record({
      fault: fc.option(fc.constantFrom('missing', 'wrong_attributes'), { nil: undefined }),
      attributes: fc.option(fc.array(attribute), { nil: undefined }),
    }),
  },
  logIn: { request: empty, answer: empty },
} satisfies {
  readonly [N in CallName]: { readonly request: Arbitrary<RequestTo<N>>; readonly answer: Arbitrary<AnswerTo<N>> }
}

const names = Object.keys(calls) as CallName[]
const messages = names.flatMap(name =>
  (['request', 'answer'] as const).map(part => {
    const row: CallRow = calls[name]
    const sample: Arbitrary<unknown> = samples[name][part]
    return { what: `the ${part} of ${name}`, message: row[part], sample }
  }),
)
/** Those that say where they end; a list of objects may end behind any of them. */
const framed = messages.filter(({ message }) => message !== wholePayload && message !== calls.objects.answer)

const malformed = { code: 'Internal', message: '', cause: { name: 'RangeError' } }

function thrownBy(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  return undefined
}

/** Bytes as numbers, what is absent left out. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null))
}

describe('a call', () => {
  it('has a unique number, other than those of a retry and of opening the token', () => {
    expect(callNames.size).toBe(names.length)
    for (const kind of callNames.keys()) {
      expect(kind).toBeGreaterThan(0)
      expect(kind).toBeLessThan(Math.min(openToken, retryFlag))
    }
  })

  it.each(messages)('carries $what unchanged', ({ message, sample }) => {
    fc.assert(
      fc.property(sample, value => {
        // Before it is packed: a private key is wiped where it came from.
        const sent = plain(value)
        expect(plain(message.decode(message.encode(value)))).toEqual(sent)
      }),
      { numRuns: 50 },
    )
  })

  it.each(framed)('refuses $what that is truncated anywhere, or has a byte too many', ({ message, sample }) => {
    fc.assert(
      fc.property(sample, value => {
        const whole = message.encode(value)
        for (let length = 0; length < whole.length; length++) {
          expect(thrownBy(() => message.decode(whole.subarray(0, length)))).toMatchObject(malformed)
        }
        expect(thrownBy(() => message.decode(Buffer.concat([whole, Buffer.of(0xff)])))).toMatchObject(malformed)
      }),
      { numRuns: 10 },
    )
  })

  it.each(messages)('refuses garbage in place of $what, and reads nothing beyond it', ({ message }) => {
    fc.assert(
      fc.property(octets, payload => {
        const error = thrownBy(() => message.decode(payload))
        if (error !== undefined) expect(error).toMatchObject(malformed)
      }),
      { numRuns: 100 },
    )
  })

  it.each([
    ['an object that is no 64 hex digits', () => calls.destroyKey.request.encode({ object: 'ab' })],
    ['one of 64 digits that are not hex', () => calls.destroyKey.request.encode({ object: 'xy'.repeat(32) })],
  ])('does not carry %s', (_, encode) => {
    expect(thrownBy(encode)).toMatchObject(malformed)
  })

  it('does not compile with the parts of another one, or with parts in one another’s place', () => {
    const id = 'ab'.repeat(32)
    const spec = 'RSA_2048'
    const message = Buffer.from('message')
    const { request } = calls.sign
    request.encode({ object: id, spec, algorithm: 'RSASSA_PSS_SHA_256', type: 'RAW', message })
    // @ts-expect-error a type of message is no algorithm
    request.encode({ object: id, spec, algorithm: 'RAW', type: 'RSASSA_PSS_SHA_256', message })
    // @ts-expect-error an algorithm of encryption signs nothing
    request.encode({ object: id, spec, algorithm: 'RSAES_OAEP_SHA_1', type: 'RAW', message })
    // @ts-expect-error a call whose answer has no such part
    expect(calls.encrypt.answer.decode(calls.encrypt.answer.encode({ iv: message, ciphertext: message })).tag).toBe(
      undefined,
    )
  })

  it('leaves no private key in memory after packing', () => {
    const privateKey = Buffer.from('private')
    const sent = calls.generateKeyPair.answer.encode({ publicKey: Buffer.from('public'), privateKey })
    expect(privateKey).toEqual(Buffer.alloc(7))
    expect(calls.generateKeyPair.answer.decode(sent).privateKey.toString()).toBe('private')
  })

  it('lists as many objects as its parts do together', () => {
    const { answer } = calls.objects
    const [first, second] = [[{ id: 'ab', label: 'one' }], [{ id: '', label: 'two' }]]
    expect(answer.decode(Buffer.concat([answer.encode(first), answer.encode(second)]))).toEqual([...first, ...second])
  })
})
