import { type DocumentedConditionKey, documentedConditionKey as row } from '../../model/condition-keys.ts'

/**
 * Every condition key of AWS KMS: KMS Developer Guide, "AWS KMS condition keys", "Condition keys for attested platforms" and "AWS KMS
 * permissions"; Service Authorization Reference. Operations declare what they contribute; a test compares both.
 */

const dataKeys = [
  'GenerateDataKey',
  'GenerateDataKeyPair',
  'GenerateDataKeyPairWithoutPlaintext',
  'GenerateDataKeyWithoutPlaintext',
]
const encryption = ['Decrypt', 'Encrypt', ...dataKeys, 'ReEncryptFrom', 'ReEncryptTo']
const signing = ['Sign', 'Verify']
const macs = ['GenerateMac', 'VerifyMac']
const cryptography = [...encryption, ...signing, ...macs, 'DeriveSharedSecret', 'Decapsulate', 'Encapsulate']
const grantManagement = ['CreateGrant', 'ListGrants', 'RevokeGrant']
/** Actions on a key. */
export const keyActions: readonly string[] = [
  ...cryptography,
  ...grantManagement,
  'CancelKeyDeletion',
  'CreateAlias',
  'DeleteAlias',
  'DeleteImportedKeyMaterial',
  'DescribeKey',
  'DisableKey',
  'DisableKeyRotation',
  'EnableKey',
  'EnableKeyRotation',
  'GetKeyLastUsage',
  'GetKeyPolicy',
  'GetKeyRotationStatus',
  'GetParametersForImport',
  'GetPublicKey',
  'ImportKeyMaterial',
  'ListKeyPolicies',
  'ListKeyRotations',
  'ListResourceTags',
  'PutKeyPolicy',
  'ReplicateKey',
  'RetireGrant',
  'RotateKeyOnDemand',
  'ScheduleKeyDeletion',
  'TagResource',
  'UntagResource',
  'UpdateAlias',
  'UpdateKeyDescription',
  'UpdatePrimaryRegion',
]
export const customKeyStoreActions: readonly string[] = [
  'ConnectCustomKeyStore',
  'CreateCustomKeyStore',
  'DeleteCustomKeyStore',
  'DescribeCustomKeyStores',
  'DisconnectCustomKeyStore',
  'UpdateCustomKeyStore',
]
const attested = ['Decrypt', 'DeriveSharedSecret', 'GenerateDataKey', 'GenerateDataKeyPair', 'GenerateRandom']
const keysAndCreation = ['CreateKey', ...keyActions]
const contexts = ['CreateGrant', 'RetireGrant', ...encryption]

const notAttested = 'the Recipient parameter is not supported'

// biome-ignore format: a table
export const conditionKeys: readonly DocumentedConditionKey[] = [
  row('aws:RequestTag/',                            'String',        ['CreateKey', 'TagResource']),
  row('aws:ResourceTag/',                           'String',        keyActions),
  row('aws:TagKeys',                                'ArrayOfString', ['CreateKey', 'TagResource', 'UntagResource']),
  row('kms:BypassPolicyLockoutSafetyCheck',         'Bool',          ['CreateKey', 'PutKeyPolicy']),
  row('kms:CallerAccount',                          'String',        [...keysAndCreation, ...customKeyStoreActions]),
  row('kms:CustomerMasterKeySpec',                  'String',        keysAndCreation),
  row('kms:CustomerMasterKeyUsage',                 'String',        keysAndCreation),
  row('kms:DataKeyPairSpec',                        'String',        ['GenerateDataKeyPair', 'GenerateDataKeyPairWithoutPlaintext']),
  row('kms:EncryptionAlgorithm',                    'String',        encryption),
  row('kms:EncryptionContext:',                     'String',        contexts),
  row('kms:EncryptionContextKeys',                  'ArrayOfString', contexts),
  row('kms:ExpirationModel',                        'String',        ['ImportKeyMaterial']),
  row('kms:GranteePrincipal',                       'String',        ['CreateGrant']),
  row('kms:GranteeServicePrincipal',                'String',        ['CreateGrant']),
  row('kms:GrantConstraintSourceArn',               'ARN',           ['CreateGrant']),
  row('kms:GrantConstraintType',                    'String',        ['CreateGrant', 'RetireGrant']),
  row('kms:GrantIsForAWSResource',                  'Bool',          grantManagement),
  row('kms:GrantOperations',                        'ArrayOfString', ['CreateGrant']),
  row('kms:KeyAgreementAlgorithm',                  'String',        ['DeriveSharedSecret']),
  row('kms:KeyOrigin',                              'String',        keysAndCreation),
  row('kms:KeySpec',                                'String',        keysAndCreation),
  row('kms:KeyUsage',                               'String',        keysAndCreation),
  row('kms:MacAlgorithm',                           'String',        macs),
  row('kms:MessageType',                            'String',        signing),
  row('kms:MultiRegion',                            'Bool',          keysAndCreation),
  row('kms:MultiRegionKeyType',                     'String',        keysAndCreation),
  row('kms:PrimaryRegion',                          'String',        ['UpdatePrimaryRegion']),
  row('kms:RecipientAttestation:',                  'String',        attested, notAttested),
  row('kms:ReEncryptOnSameKey',                     'Bool',          ['ReEncryptFrom', 'ReEncryptTo']),
  row('kms:ReplicaRegion',                          'String',        ['ReplicateKey']),
  row('kms:RequestAlias',                           'String',        [...cryptography, 'DescribeKey', 'GetPublicKey']),
  row('kms:ResourceAliases',                        'ArrayOfString', keyActions),
  row('kms:RetiringPrincipal',                      'String',        ['CreateGrant']),
  row('kms:RetiringServicePrincipal',               'String',        ['CreateGrant']),
  row('kms:RotationPeriodInDays',                   'Numeric',       ['EnableKeyRotation']),
  row('kms:ScheduleKeyDeletionPendingWindowInDays', 'Numeric',       ['ScheduleKeyDeletion']),
  row('kms:SigningAlgorithm',                       'String',        signing),
  row('kms:TrailingDaysWithoutKeyUsage',            'Numeric',       ['DisableKey', 'ScheduleKeyDeletion']),
  row('kms:ValidTo',                                'Date',          ['ImportKeyMaterial']),
  row('kms:ViaService',                             'String',        keysAndCreation),
  row('kms:WrappingAlgorithm',                      'String',        ['GetParametersForImport']),
  row('kms:WrappingKeySpec',                        'String',        ['GetParametersForImport']),
]
