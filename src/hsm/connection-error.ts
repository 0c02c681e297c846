/** Why an HSM could not be connected, as custom key stores tell it: KMS API Reference, "CustomKeyStoresListEntry", ConnectionErrorCode. */
import { isUnavailable } from '../errors.ts'
import type { ConnectionErrorCode } from '../model/keys/custom-key-store.ts'
import { StartError } from './pool/worker-process.ts'
import { type ClassName, type ReturnCode, returnCodes } from './return-codes.ts'

const byReturnCode: Partial<Readonly<Record<string, ConnectionErrorCode>>> = {
  CKR_PIN_LOCKED: 'USER_LOCKED_OUT',
  CKR_USER_PIN_NOT_INITIALIZED: 'USER_NOT_FOUND',
  CKR_USER_TYPE_INVALID: 'USER_NOT_FOUND',
  CKR_USER_ANOTHER_ALREADY_LOGGED_IN: 'USER_LOGGED_IN',
  CKR_USER_TOO_MANY_TYPES: 'USER_LOGGED_IN',
  CKR_SLOT_ID_INVALID: 'CLUSTER_NOT_FOUND',
  CKR_TOKEN_NOT_PRESENT: 'CLUSTER_NOT_FOUND',
  CKR_TOKEN_NOT_RECOGNIZED: 'CLUSTER_NOT_FOUND',
  timeout: 'NETWORK_ERRORS',
} satisfies Partial<Record<ReturnCode | 'timeout', ConnectionErrorCode>>

const byClass: Partial<Readonly<Record<ClassName, ConnectionErrorCode>>> = {
  pinRefused: 'INVALID_CREDENTIALS',
  deviceLost: 'NETWORK_ERRORS',
  sessionLost: 'NETWORK_ERRORS',
}

/** @param thrown by HsmRegistry.connect, or by a call to the HSM */
export function connectionErrorCode(thrown: unknown): ConnectionErrorCode {
  if (isUnavailable(thrown)) return 'NETWORK_ERRORS'
  if (thrown instanceof AggregateError) return ofMembers(thrown.errors.map(connectionErrorCode))
  if (thrown instanceof StartError) return codeOf(thrown)
  return thrown instanceof Error && thrown.cause !== undefined ? connectionErrorCode(thrown.cause) : 'INTERNAL_ERROR'
}

/** None of the tokens of a cluster can be used. */
function ofMembers(codes: readonly ConnectionErrorCode[]): ConnectionErrorCode {
  const isAway = (code: ConnectionErrorCode) => code === 'NETWORK_ERRORS' || code === 'CLUSTER_NOT_FOUND'
  return codes.length > 1 && codes.every(isAway) ? 'INSUFFICIENT_CLOUDHSM_HSMS' : codes[0]!
}

/** A token without the canary key is not the one that the store was connected to. */
function codeOf({ reason, returnCode }: StartError): ConnectionErrorCode {
  if (reason === 'untrusted') return 'CLUSTER_NOT_FOUND'
  const known = returnCode === undefined ? undefined : byReturnCode[returnCode]
  if (known !== undefined) return known
  if (returnCode !== undefined && Object.hasOwn(returnCodes, returnCode))
    return byClass[returnCodes[returnCode as ReturnCode][1]] ?? 'INTERNAL_ERROR'
  return reason === 'pinRefused' ? 'INVALID_CREDENTIALS' : 'INTERNAL_ERROR'
}
