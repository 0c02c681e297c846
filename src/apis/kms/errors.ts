/** The failures of the gateway, as AWS KMS names them: API Reference, "Common Errors" and the errors of each operation. */
import type { FailureCode } from '../../errors.ts'
import { model } from './model.ts'

/** What is not simply the gateway's own code with `Exception` after it. */
const codes: Partial<Record<FailureCode, string>> = {
  Internal: 'KMSInternalException',
  InvalidMac: 'KMSInvalidMacException',
  InvalidRequestSignature: 'InvalidSignatureException',
  InvalidSignature: 'KMSInvalidSignatureException',
  InvalidState: 'KMSInvalidStateException',
  InvalidTag: 'TagException',
  // Amazon S3's name: the other services have none.
  RequestHeaderSectionTooLarge: 'RequestHeaderSectionTooLarge',
}

export function errorCode(code: FailureCode): string {
  return codes[code] ?? `${code}Exception`
}

const modelled = new Set(Object.values(model.operations).flatMap(({ errors }) => errors ?? []))

/** The namespaces that AWS gives in JSON 1.0; clients ignore them. @param code on the wire */
export function shapeId(code: string): string {
  if (modelled.has(code)) return `com.amazonaws.kms#${code}`
  return `com.amazon.coral.${code === 'ValidationException' ? 'validate' : 'service'}#${code}`
}
