/**
 * Signatures in an audit journal. A checkpoint signs the end of a block, and with it, by the hash chain, everything before. The change to a
 * new signing key is signed by the former one. docs/audit.md shows how to check both with openssl.
 *
 * Signatures are ECDSA on P-256 with SHA-256 (FIPS 186-5, section 6.4), as the DER of an ECDSA-Sig-Value (RFC 3279, section 2.2.3).
 */
import { createPublicKey, hash, type KeyObject, verify } from 'node:crypto'
import type { SigningKey } from '../model/keys/key.ts'
import type { Checkpoint } from './format.ts'
import { isCount, isOptionalText, isText, memberIn } from './line-members.ts'

/** Blocks between a checkpoint and the one that it signs, at most: as many hashes are kept to check it. */
export const checkpointReach = 65_536

/** The text that a checkpoint signs, in UTF-8. */
export function checkpointText(checkpoint: Omit<Checkpoint, 'signature'>): string {
  const { journal, gateway, segment, block, record, hash, time, key } = checkpoint
  return `strongroom audit checkpoint\n${JSON.stringify({ journal, gateway, segment, block, record, hash, time, key })}`
}

/** The text that the former key signs when there is a new one, in UTF-8. */
export function signingKeyText({ publicKey, previous, time }: Omit<SigningKey, 'signature'>): string {
  return `strongroom audit signing key\n${JSON.stringify({ publicKey, previous, time })}`
}

/** @param publicKey DER SubjectPublicKeyInfo @returns hex SHA-256 */
export function fingerprintOf(publicKey: Uint8Array): string {
  return hash('sha256', publicKey, 'hex')
}

/** @param publicKey DER SubjectPublicKeyInfo @returns PEM (RFC 7468, section 13) */
export function pemOf(publicKey: Uint8Array): string {
  const lines = Buffer.from(publicKey)
    .toString('base64')
    .match(/.{1,64}/g)!
  return `-----BEGIN PUBLIC KEY-----\n${lines.join('\n')}\n-----END PUBLIC KEY-----\n`
}

/**
 * The keys in a PEM file, which may have several, as DER SubjectPublicKeyInfo. Throws an Error, whose message completes "the file ...", if it
 * has none, or another than an EC key on P-256.
 */
export function publicKeysIn(pem: string): Uint8Array[] {
  const found = [...pem.matchAll(/^-----BEGIN PUBLIC KEY-----\s([\sA-Za-z0-9+/=]*)-----END PUBLIC KEY-----/gm)]
  if (found.length === 0) throw new Error('has no public key in PEM')
  return found.map(([, base64]) => {
    const publicKey = Buffer.from(base64!, 'base64')
    if (keyOf(publicKey) === undefined) throw new Error('has a public key that is not an EC key on P-256')
    return publicKey
  })
}

/** `unknownKey`: by a key that is not trusted, or not yet. */
export type Outcome = 'valid' | 'invalid' | 'unknownKey'

/** The keys whose signatures count: at first those that somebody keeps outside of the journal. */
export class TrustedKeys {
  readonly #keys = new Map<string, KeyObject>()

  /** @param publicKeys DER SubjectPublicKeyInfo, of EC keys on P-256 */
  constructor(publicKeys: Iterable<Uint8Array>) {
    for (const publicKey of publicKeys) this.#trust(publicKey)
  }

  check(checkpoint: Checkpoint): Outcome {
    return this.#verify(checkpoint.key, checkpointText(checkpoint), checkpoint.signature)
  }

  /** If a trusted key has signed the change, the new key is trusted from now on. */
  change(signingKey: SigningKey): Outcome {
    const outcome = this.#verify(signingKey.previous, signingKeyText(signingKey), signingKey.signature)
    if (outcome !== 'valid') return outcome
    return this.#trust(Buffer.from(signingKey.publicKey, 'base64')) ? 'valid' : 'invalid'
  }

  /** @param fingerprint hex SHA-256 */
  has(fingerprint: string): boolean {
    return this.#keys.has(fingerprint)
  }

  #trust(publicKey: Uint8Array): boolean {
    const key = keyOf(publicKey)
    if (key) this.#keys.set(fingerprintOf(publicKey), key)
    return key !== undefined
  }

  #verify(fingerprint: string, text: string, signature: string): Outcome {
    const key = this.#keys.get(fingerprint)
    if (key === undefined) return 'unknownKey'
    return verify('sha256', Buffer.from(text), key, Buffer.from(signature, 'base64')) ? 'valid' : 'invalid'
  }
}

/** The checkpoint in a line of a journal, or of a file of checkpoints. Undefined for anything else. Its signature has not been checked. */
export function checkpointIn(line: string): Checkpoint | undefined {
  return memberIn<Checkpoint>(line, 'checkpoint', {
    journal: isText,
    gateway: isOptionalText,
    segment: isCount,
    block: isCount,
    record: isCount,
    hash: isHash,
    time: isText,
    key: isHash,
    signature: isText,
  })
}

/** The same for the change to a new signing key. */
export function signingKeyIn(line: string): SigningKey | undefined {
  return memberIn<SigningKey>(line, 'signingKey', {
    publicKey: isText,
    previous: isHash,
    time: isText,
    signature: isText,
  })
}

function isHash(value: unknown): boolean {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)
}

/** Undefined for anything but an EC key on P-256. */
function keyOf(publicKey: Uint8Array): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' })
    return key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? key : undefined
  } catch {
    return undefined
  }
}
