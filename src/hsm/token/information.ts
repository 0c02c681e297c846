/** What a library says about itself, and about the token in a slot. */
import type pkcs11js from 'pkcs11js'
import type { Handle } from './native-call.ts'

export interface LibraryInfo {
  readonly description: string
  readonly manufacturer: string
  readonly version: string
  readonly cryptokiVersion: string
}

/** The token in a slot: CK_TOKEN_INFO. */
export interface SlotToken {
  readonly slot: Handle
  readonly label: string
  readonly serial: string
  readonly model: string
  readonly manufacturer: string
  /** CKF_* of CK_TOKEN_INFO. */
  readonly flags: number
  /** That all processes may have open together. Undefined: unlimited, or unknown. */
  readonly maxSessions: number | undefined
}

export function libraryInfo(info: pkcs11js.ModuleInfo): LibraryInfo {
  return {
    description: trim(info.libraryDescription),
    manufacturer: trim(info.manufacturerID),
    version: `${info.libraryVersion.major}.${info.libraryVersion.minor}`,
    cryptokiVersion: `${info.cryptokiVersion.major}.${info.cryptokiVersion.minor}`,
  }
}

export function slotToken(slot: Handle, info: pkcs11js.TokenInfo): SlotToken {
  return {
    slot,
    label: trim(info.label),
    serial: trim(info.serialNumber),
    model: trim(info.model),
    manufacturer: trim(info.manufacturerID),
    flags: info.flags,
    maxSessions: lowestOf(info.maxSessionCount, info.maxRwSessionCount),
  }
}

/** CK_EFFECTIVELY_INFINITE, and CK_UNAVAILABLE_INFORMATION, the largest CK_ULONG: PKCS#11 v2.40, section 3.2. */
function lowestOf(...limits: readonly number[]): number | undefined {
  const known = limits.filter(limit => limit > 0 && limit < 2 ** 32 - 1)
  return known.length === 0 ? undefined : Math.min(...known)
}

/** Tokens pad with spaces, some with NUL bytes. */
function trim(text: string): string {
  return text.replaceAll('\0', ' ').trim()
}
