import { Failure } from '../../errors.ts'
import { parseKeyIdentifier } from '../../model/arn.ts'
import { asciiLowerCase } from '../../model/ascii.ts'
import type { PolicyVocabulary } from '../../model/policy-vocabulary.ts'
import { xksConditionKeys } from '../../model/xks/condition-keys.ts'
import type { Permission, PolicySubject } from '../operation.ts'
import { conditionKeyValues } from './condition-key-values.ts'
import { conditionKeys, customKeyStoreActions, keyActions } from './condition-keys.ts'
import { keyTarget } from './targets.ts'

const aliasActions = ['CreateAlias', 'DeleteAlias', 'UpdateAlias']

/** Service Authorization Reference, "Actions, resources, and condition keys for AWS Key Management Service". */
const vocabulary: PolicyVocabulary = {
  prefix: 'kms:',
  policyKind: 'resource',
  actions: [
    ...keyActions,
    ...customKeyStoreActions,
    'CreateKey',
    'GenerateRandom',
    'ListAliases',
    'ListKeys',
    'ListRetirableGrants',
    // Without an operation of its name: the replicas of a key are synchronized by its region.
    'SynchronizeMultiRegionKey',
  ],
  resourceActions: keyActions,
  policyAction: 'PutKeyPolicy',
  aliasActions,
  conditionKeys: [...conditionKeys, ...xksConditionKeys],
  callerKeys: ['kms:CallerAccount', 'kms:ViaService'],
  possibleValues: conditionKeyValues,
  requiredKeys: { 'aws:TagKeys': ['TagResource', 'UntagResource'], 'kms:GrantOperations': ['CreateGrant'] },
}

/** Actions that callers of other accounts can be allowed: KMS Developer Guide, "Allowing users in other accounts to use a KMS key". */
const crossAccountActions = new Set([
  ...['Decapsulate', 'Decrypt', 'DeriveSharedSecret', 'Encapsulate', 'Encrypt', 'ReEncryptFrom', 'ReEncryptTo'],
  ...[
    'GenerateDataKey',
    'GenerateDataKeyPair',
    'GenerateDataKeyPairWithoutPlaintext',
    'GenerateDataKeyWithoutPlaintext',
  ],
  ...['GenerateMac', 'Sign', 'Verify', 'VerifyMac'],
  ...['DescribeKey', 'GetKeyRotationStatus', 'GetPublicKey'],
  ...['CreateGrant', 'ListGrants', 'RevokeGrant'],
])

export const policySubject: PolicySubject = {
  vocabulary,

  /** An alias is the resource of actions on aliases; for others it names its key. */
  permission(action, resource, given, { caller, storage }): Permission {
    if (!keyActions.includes(action)) return { action, resource: '*', account: caller.account }
    if (action === 'RetireGrant') throw new Failure('Validation', 'it depends on the grant that is to be retired.')
    if (aliasActions.includes(action)) {
      const { form, arn, account } = parseKeyIdentifier(resource, caller)
      if (form === 'alias') return { action, resource: arn, account }
    }
    const crossAccount = crossAccountActions.has(action)
    const needs = { state: 'view', byAlias: true, crossAccount, encryptionContext: contextIn(given) } as const
    return keyTarget(resource, needs, { caller, storage, operation: action }).permissions[0]!
  },
}

/** Grants compare the encryption context with case, unlike condition keys. */
function contextIn(given: ReadonlyMap<string, readonly string[]>): Record<string, string> {
  const prefix = 'kms:encryptioncontext:'
  const pairs = [...given].filter(([name]) => asciiLowerCase(name).startsWith(prefix))
  return Object.fromEntries(pairs.map(([name, [value = '']]) => [name.slice(prefix.length), value]))
}
