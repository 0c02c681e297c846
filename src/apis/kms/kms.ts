import { lacksOfAll } from '../../model/keys/ability.ts'
import { operations } from '../../operations/kms/catalogue.ts'
import { policySubject } from '../../operations/kms/policy-subject.ts'
import { JsonApi } from '../json/json.ts'
import { model } from './model.ts'

/** The AWS KMS API. */
export const kms = new JsonApi({
  service: 'kms',
  actionPrefix: 'kms:',
  eventSource: 'kms.amazonaws.com',
  namespace: 'com.amazonaws.kms',
  model,
  operations,
  policySubject,
  whyUnsupported: { Encapsulate: lacksOfAll.ML_KEM, Decapsulate: lacksOfAll.ML_KEM },
  // KMS API Reference, "Common Errors" and the errors of each operation.
  errorCodes: {
    Internal: 'KMSInternalException',
    InvalidMac: 'KMSInvalidMacException',
    InvalidSignature: 'KMSInvalidSignatureException',
    InvalidState: 'KMSInvalidStateException',
    InvalidTag: 'TagException',
    KeyStoreUnavailable: 'KMSInvalidStateException',
  },
})
