/** What errors of PostgreSQL, of the driver and of the network mean. */
import { DatabaseError } from 'pg'

/** A server or database that cannot hold a storage. The message is the rest of a sentence that begins with its name. */
export class Unfit extends Error {
  override readonly name = 'Unfit'
}

/** By SQLSTATE (PostgreSQL documentation, appendix A) or by Node.js error code. */
const explanations: Readonly<Record<string, string>> = {
  '3D000': 'cannot be opened: there is no such database',
  '3F000': 'cannot be opened: there is no such schema, or the role may not use it',
  '25006': 'cannot be written: it is read-only',
  '42501': 'cannot be used: the role lacks a privilege',
  '53100': 'cannot be written: the disk is full',
  '53300': 'cannot be opened: the server has too many connections',
  '55P03': 'cannot be migrated: its tables are in use, as by a backup',
  '57P03': 'cannot be opened: the server is starting or shutting down',
  ECONNREFUSED: 'cannot be reached: nothing listens there',
  ECONNRESET: 'cannot be reached: the connection was reset',
  EAI_AGAIN: 'cannot be reached: its host name cannot be resolved now',
  EHOSTUNREACH: 'cannot be reached: there is no route to its host',
  ENETUNREACH: 'cannot be reached: there is no route to its network',
  ENOENT: 'cannot be reached: there is no such Unix socket',
  ENOTFOUND: 'cannot be reached: its host name does not exist',
  ETIMEDOUT: 'cannot be reached: it does not answer',
  CERT_HAS_EXPIRED: 'is not trusted: its certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'is not trusted: its certificate is self-signed, and not in tls.caFile',
  SELF_SIGNED_CERT_IN_CHAIN: 'is not trusted: its certificate is not of an authority in tls.caFile',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'is not trusted: its certificate is not of an authority in tls.caFile',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'is not trusted: its certificate is not of an authority in tls.caFile',
  ERR_TLS_CERT_ALTNAME_INVALID: 'is not trusted: its certificate is for another host',
}

/** Messages of the driver, which have no code. */
const messages: readonly (readonly [RegExp, string])[] = [
  [/does not support SSL/, 'cannot be reached: the server does not support TLS'],
  [/timeout/i, 'cannot be reached: it does not answer in time'],
  [/password must be a/, 'asks for a password: set passwordFile or passwordVariable'],
  [/terminated/, 'cannot be reached: the connection was closed'],
]

/** Why a database cannot be opened, as the rest of a sentence that begins with its name. */
export function explain(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException
  if (error instanceof Unfit) return message
  // What the server says names the role, and never its password.
  if (error instanceof DatabaseError && /^(?:28|42501)/.test(code)) {
    return `${explanations[code] ?? 'refuses the connection'}: ${message}`
  }
  const known = explanations[code] ?? messages.find(([pattern]) => pattern.test(message))?.[1]
  return known ?? `cannot be opened: ${message}`
}

/** Foreign keys, which are checked last, and unique names. */
export function conflicts(error: unknown): boolean {
  return isState(error, '23503') || isState(error, '23505')
}

/** Whether a transaction failed only because of others at the same time: serialization failure, deadlock. */
export function canBeRepeated(error: unknown): boolean {
  return isState(error, '40001') || isState(error, '40P01')
}

/** A statement took too long, or waited too long for a lock. The session lives. */
export function isTooSlow(error: unknown): boolean {
  return isLocked(error) || isState(error, '57014')
}

/** A statement waited too long for a lock. */
export function isLocked(error: unknown): boolean {
  return isState(error, '55P03')
}

/** Whether the session has ended, or is of no use any more: its server has become a standby. */
export function isLost(error: unknown): boolean {
  if (!(error instanceof DatabaseError)) return !(error instanceof RangeError)
  const { code = '', severity } = error
  return severity === 'FATAL' || severity === 'PANIC' || /^(?:08|57P|25006)/.test(code)
}

/** Whether the server lives, and opens no more sessions: it has too many, or knows another password by now. */
export function isRefused(error: unknown): boolean {
  return error instanceof DatabaseError && /^(?:28|53)/.test(error.code ?? '')
}

function isState(error: unknown, state: string): boolean {
  return error instanceof DatabaseError && error.code === state
}
