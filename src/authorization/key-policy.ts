import { Failure } from '../errors.ts'
import { type AccessRequest, authorize } from './authorize.ts'
import { parsePolicyDocument } from './policy-document.ts'

/** Bytes: KMS Developer Guide, "Resource quotas". */
const maximumLength = 32768

/** A key policy that shall be put on a key. */
export interface ProposedKeyPolicy {
  readonly text: string
  readonly keyArn: string
  readonly account: string
  readonly caller: AccessRequest['caller']
  readonly bypassLockoutSafetyCheck: boolean
}

/**
 * Throws MalformedPolicyDocumentException for a policy that is malformed or, unless the check is bypassed, would lock its
 * caller out; LimitExceededException for one that is too long. KMS API Reference, "PutKeyPolicy".
 */
export function admitKeyPolicy({ text, keyArn, account, caller, bypassLockoutSafetyCheck }: ProposedKeyPolicy): void {
  if (Buffer.byteLength(text) > maximumLength) {
    throw new Failure('LimitExceededException', `The key policy exceeds the limit of ${maximumLength} bytes.`)
  }
  if (/[^\t\n\r\u0020-\u00ff]/.test(text)) {
    throw new Failure('MalformedPolicyDocumentException', 'The key policy contains characters that are not allowed.')
  }
  parsePolicyDocument(text, 'key')
  if (bypassLockoutSafetyCheck) return
  const later = { caller, action: 'kms:PutKeyPolicy', resource: keyArn, account, resourcePolicy: text }
  if (authorize(later).allowed) return
  throw new Failure(
    'MalformedPolicyDocumentException',
    'The new key policy will not allow you to update the key policy in the future.',
  )
}
