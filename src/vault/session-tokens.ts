/** Session tokens: each holds its session and the secret access key, so that any gateway with the same storage and HSMs accepts it. */
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { Failure } from '../errors.ts'
import type { NewSession, Session } from '../model/identities/session.ts'
import { sealToken, unsealToken, type Vault } from './sealed-tokens.ts'

/**
 * What is sealed. The encryption context holds the access key id, so that no token fits another one.
 *
 *     version (1) | length of the secret (1) | secret, UTF-8 | the rest of the session: JSON, compressed (RFC 1951)
 */
const version = 1
/** Characters. With the name of its header, a token fits the 8 KiB that proxies commonly allow for a header line. */
const longestToken = 8000
/** Bytes of a compressed session: what `longestToken` leaves, besides the secret and the blob around it. */
const allottedSpace = 5888

function contextOf(accessKeyId: string) {
  return { purpose: 'session token', accessKeyId }
}

/** Percentage of the allotted space that a session takes: PackedPolicySize in the answers of STS. Over 100 it cannot be sealed. */
export function packedPolicySize(session: Session): number {
  return percentOf(pack(session))
}

/**
 * Resolves to a new session token. Rejects with PackedPolicyTooLarge if it would be too long, with KeyUnavailable if the HSM has no seal key.
 */
export async function sealSession({ secret, ...session }: NewSession, hsm: string, vault: Vault): Promise<string> {
  const packed = pack(session)
  const percent = percentOf(packed)
  if (percent > 100) {
    const message = `Packed policy consumes ${percent}% of allotted space, please use smaller policy.`
    throw new Failure('PackedPolicyTooLarge', message)
  }
  const secretBytes = Buffer.from(secret)
  const plaintext = Buffer.concat([Uint8Array.of(version, secretBytes.length), secretBytes, packed])
  secretBytes.fill(0)
  try {
    return await sealToken(plaintext, contextOf(session.accessKeyId), hsm, vault)
  } finally {
    plaintext.fill(0)
  }
}

/** A session with its secret access key, in UTF-8, for the caller to wipe. */
export interface UnsealedSession {
  readonly session: Session
  readonly secret: Uint8Array
}

/** Resolves to the session of a token; undefined unless an HSM of this installation sealed it for this access key. */
export async function unsealSession(
  token: string,
  accessKeyId: string,
  vault: Vault,
): Promise<UnsealedSession | undefined> {
  if (token.length > longestToken) return undefined
  const plaintext = await unsealToken(token, contextOf(accessKeyId), vault)
  if (plaintext === undefined || plaintext[0] !== version) return undefined
  const secretEnd = 2 + plaintext[1]!
  const secret = Uint8Array.from(plaintext.subarray(2, secretEnd))
  plaintext.fill(0, 0, secretEnd)
  return { session: { accessKeyId, ...unpack(plaintext.subarray(secretEnd)) }, secret }
}

type Packed = Omit<Session, 'accessKeyId'>

/** The secret is not compressed together with texts that callers choose. */
function pack({ principalId, issuedAt, expiresAt, role }: Packed): Uint8Array {
  const packed: Packed = { principalId, issuedAt, expiresAt, role }
  return deflateRawSync(JSON.stringify(packed))
}

function unpack(packed: Uint8Array): Packed {
  return JSON.parse(inflateRawSync(packed).toString()) as Packed
}

function percentOf(packed: Uint8Array): number {
  return Math.ceil((packed.length / allottedSpace) * 100)
}
