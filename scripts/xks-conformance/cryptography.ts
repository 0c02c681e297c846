/** Encryptions and decryptions with the key under test, checked for what the specification says of every one. */
import { createHash } from 'node:crypto'
import { accepted, expectThat } from './check.ts'
import type { Answer, Call, XksProxy } from './proxy.ts'

export interface Encryption {
  readonly aad?: Buffer | undefined
  readonly ciphertext: Buffer
  readonly iv: Buffer
  readonly tag: Buffer
  readonly metadata?: Buffer | undefined
}

export interface EncryptInput {
  readonly aad?: Buffer | undefined
  readonly integrity?: boolean
  readonly key?: string
}

export function encryptBody(proxy: XksProxy, plaintext: Buffer, { aad, integrity }: EncryptInput = {}) {
  return {
    requestMetadata: proxy.requestMetadata('Encrypt'),
    plaintext: plaintext.toString('base64'),
    encryptionAlgorithm: 'AES_GCM',
    ...(aad && { additionalAuthenticatedData: aad.toString('base64') }),
    ...(integrity && { ciphertextDataIntegrityValueAlgorithm: 'SHA_256' }),
  }
}

export function encryptCall(proxy: XksProxy, plaintext: Buffer, input: EncryptInput = {}): Promise<Answer> {
  return proxy.call(proxy.keyPath('encrypt', input.key), { body: encryptBody(proxy, plaintext, input) })
}

export async function encrypt(proxy: XksProxy, plaintext: Buffer, input: EncryptInput = {}): Promise<Encryption> {
  return encryptionOf(accepted(await encryptCall(proxy, plaintext, input)), plaintext, input)
}

/** Checks an answer to Encrypt. */
export function encryptionOf(
  members: Readonly<Record<string, unknown>>,
  plaintext: Buffer,
  { aad, integrity = false }: EncryptInput,
): Encryption {
  const bytes = (name: string) => bytesOf(members, name)
  const { ciphertextMetadata, ciphertextDataIntegrityValue: integrityValue } = members
  const metadata = ciphertextMetadata === undefined ? undefined : bytes('ciphertextMetadata')
  const encryption = {
    aad,
    ciphertext: bytes('ciphertext'),
    iv: bytes('initializationVector'),
    tag: bytes('authenticationTag'),
    metadata,
  }
  const { ciphertext, iv, tag } = encryption
  const lengths = `${ciphertext.length}, ${iv.length}, ${tag.length} and ${metadata?.length ?? 0} bytes`
  const isOfSize =
    ciphertext.length === plaintext.length &&
    [12, 16].includes(iv.length) &&
    tag.length === 16 &&
    (metadata?.length ?? 0) <= 20
  const expected = `ciphertext, IV, tag and ciphertextMetadata of ${plaintext.length}, 12 or 16, 16 and at most 20 bytes`
  expectThat(isOfSize, expected, lengths)
  const isAsked = integrity === (integrityValue !== undefined)
  expectThat(isAsked, `${integrity ? 'a' : 'no'} ciphertextDataIntegrityValue`, integrityValue ?? 'none')
  if (integrity) {
    const digest = integrityOf(encryption)
    expectThat(integrityValue === digest, `the ciphertextDataIntegrityValue ${digest}`, integrityValue)
  }
  return encryption
}

function integrityOf({ aad, metadata, iv, ciphertext, tag }: Encryption): string {
  const parts = [aad, metadata, iv, ciphertext, tag].filter(part => part !== undefined)
  return createHash('sha256').update(Buffer.concat(parts)).digest('base64')
}

export function decryptBody(proxy: XksProxy, { aad, ciphertext, iv, tag, metadata }: Encryption) {
  return {
    requestMetadata: proxy.requestMetadata('Decrypt'),
    ciphertext: ciphertext.toString('base64'),
    encryptionAlgorithm: 'AES_GCM',
    initializationVector: iv.toString('base64'),
    authenticationTag: tag.toString('base64'),
    ...(metadata && { ciphertextMetadata: metadata.toString('base64') }),
    ...(aad && { additionalAuthenticatedData: aad.toString('base64') }),
  }
}

export function decryptCall(proxy: XksProxy, encryption: Encryption, call: Call = {}): Promise<Answer> {
  return proxy.call(proxy.keyPath('decrypt'), { body: decryptBody(proxy, encryption), ...call })
}

export function expectPlaintext(answer: Answer, plaintext: Buffer): void {
  const found = bytesOf(accepted(answer), 'plaintext')
  const length = `${found.length} bytes that are ${found.equals(plaintext) ? '' : 'not '}the plaintext`
  expectThat(found.equals(plaintext), `the ${plaintext.length} bytes of the plaintext`, length)
}

function bytesOf(members: Readonly<Record<string, unknown>>, name: string): Buffer {
  const text = members[name]
  const bytes = typeof text === 'string' ? Buffer.from(text, 'base64') : undefined
  expectThat(bytes?.toString('base64') === text && bytes !== undefined, `${name} in base64 with padding`, text)
  return bytes
}

/** The same bytes with one bit changed. */
export function flipped(bytes: Buffer, at = 0): Buffer {
  const copy = Buffer.from(bytes)
  copy[at]! ^= 1
  return copy
}
