import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Gateway, home, type Installation, install, serve } from './gateway.ts'
import { signedPost } from './requests.ts'
import { type Kinds, makeKeys, type TestKey } from './test-keys.ts'

/** Refusals that were recorded on AWS, as they are on the wire: the whole body, byte for byte. */

// biome-ignore format: a table
const kinds = {
  symmetric: ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'],
  other:     ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'],
  disabled:  ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'],
  pending:   ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'],
  rsa:       ['RSA_2048', 'ENCRYPT_DECRYPT'],
  signing:   ['RSA_2048', 'SIGN_VERIFY'],
  p384:      ['ECC_NIST_P384', 'SIGN_VERIFY'],
  agreement: ['ECC_NIST_P256', 'KEY_AGREEMENT'],
  hmac:      ['HMAC_224', 'GENERATE_VERIFY_MAC'],
} as const satisfies Kinds<string>

let installation: Installation
let gateway: Gateway
let keys: Readonly<Record<keyof typeof kinds, TestKey>>
/** Made by the symmetric key, with the context {"a":"b"}. */
let blob: string

beforeAll(async () => {
  installation = await install()
  gateway = await serve(installation)
  const kms = gateway.client()
  keys = await makeKeys(kms, kinds)
  await kms.disableKey(keys.disabled)
  await kms.scheduleKeyDeletion(keys.pending)
  await kms.createAlias({ AliasName: 'alias/taken', TargetKeyId: keys.symmetric.KeyId })
  await kms.createAlias({ AliasName: 'alias/signing', TargetKeyId: keys.signing.KeyId })
  const input = { KeyId: keys.symmetric.KeyId, Plaintext: Buffer.from('text'), EncryptionContext: { a: 'b' } }
  blob = Buffer.from((await kms.encrypt(input)).CiphertextBlob!).toString('base64')
}, 60_000)
afterAll(async () => {
  expect(gateway?.complaints()).toEqual([])
  await gateway?.stop()
  installation?.remove()
})

const id = '1234abcd-12ab-34cd-56ef-1234567890ab'
const prefix = `arn:aws:kms:us-east-1:${home}:`
const base64 = (bytes: number) => Buffer.alloc(bytes, 1).toString('base64')
const text = base64(4)

const error = (code: string, message?: string) =>
  JSON.stringify({ __type: code, ...(message !== undefined && { message }) })
const violation = (text: string) =>
  error(
    'ValidationException',
    `1 validation error detected: ${text.replace('@', 'failed to satisfy constraint: Member must')}`,
  )
const invalid = (message: string) => error('ValidationException', message)
const tag = (TagKey: string, TagValue = '') => ({ TagKey, TagValue })

type Row = readonly [operation: string, input: object, body: string]

// biome-ignore format: a table
const rows: Readonly<Record<string, () => readonly Row[]>> = {
  'of what names no key': () => [
    ['DescribeKey', { KeyId: 'x' }, error('NotFoundException', "Invalid keyId 'x'")],
    ['DescribeKey', { KeyId: id.replaceAll('-', '') }, error('NotFoundException', `Invalid keyId '${id.replaceAll('-', '')}'`)],
    ['DescribeKey', { KeyId: 'mrk-junk' }, error('NotFoundException', "Invalid keyId 'mrk-junk'")],
    ['DescribeKey', { KeyId: `${prefix}key/x` }, error('NotFoundException', 'Invalid keyId x')],
    ['DescribeKey', { KeyId: id }, error('NotFoundException', `Key '${prefix}key/${id}' does not exist`)],
    ['ListGrants', { KeyId: id }, error('NotFoundException', `Key '${prefix}key/${id}' does not exist`)],
    ['Encrypt', { KeyId: `mrk-${'0a'.repeat(16)}`, Plaintext: text }, error('NotFoundException', `Key '${prefix}key/mrk-${'0a'.repeat(16)}' does not exist`)],
    ['DescribeKey', { KeyId: `${prefix.replace('us-east-1', 'eu-west-1')}key/${id}` }, error('NotFoundException', 'Invalid arn eu-west-1')],
    ['Encrypt', { KeyId: 'alias/none', Plaintext: text }, error('NotFoundException', `Alias ${prefix}alias/none is not found.`)],
    ['CancelKeyDeletion', { KeyId: 'alias/taken' }, error('InvalidArnException', 'Key Aliases are not supported for this operation.')],
    ['TagResource', { KeyId: `${prefix}alias/taken`, Tags: [tag('a')] }, error('InvalidArnException', 'Key Aliases are not supported for this operation.')],
  ],
  'of a wrong shape': () => [
    ['DescribeKey', {}, violation("Value null at 'keyId' @ not be null")],
    ['PutKeyPolicy', { KeyId: id }, violation("Value null at 'policy' @ not be null")],
    ['Sign', { KeyId: id, SigningAlgorithm: 'ECDSA_SHA_256' }, violation("Value at 'message' @ not be null")],
    ['Encrypt', { KeyId: id, Plaintext: base64(4097) }, violation("Value at 'plaintext' @ have length less than or equal to 4096")],
    ['Encrypt', { KeyId: id, Plaintext: '' }, violation("Value at 'plaintext' @ have length greater than or equal to 1")],
    ['Encrypt', { KeyId: id, Plaintext: '!' }, error('SerializationException')],
    ['DescribeKey', { KeyId: '' }, error('ValidationException', "2 validation errors detected: Value '' at 'keyId' failed to satisfy constraint: Member must have length greater than or equal to 1; Value '' at 'keyId' failed to satisfy constraint: Member must satisfy regular expression pattern: ^\\p{ASCII}+$")],
    ['GenerateRandom', {}, invalid('NumberOfBytes is required.')],
    ['GenerateRandom', { NumberOfBytes: 0 }, violation("Value '0' at 'numberOfBytes' @ have value greater than or equal to 1")],
    ['GenerateRandom', { NumberOfBytes: 1025 }, violation("Value '1025' at 'numberOfBytes' @ have value less than or equal to 1024")],
    ['GenerateMac', { KeyId: id, Message: text, MacAlgorithm: 'x' }, violation("Value 'x' at 'macAlgorithm' @ satisfy enum value set: [HMAC_SHA_384, HMAC_SHA_256, HMAC_SHA_224, HMAC_SHA_512]")],
    ['DeriveSharedSecret', { KeyId: id, PublicKey: text, KeyAgreementAlgorithm: 'x' }, violation("Value 'x' at 'keyAgreementAlgorithm' @ satisfy enum value set: [ECDH]")],
    ['GetKeyPolicy', { KeyId: id, PolicyName: 'a b' }, violation("Value 'a b' at 'policyName' @ satisfy regular expression pattern: [\\w]+")],
    ['CreateAlias', { AliasName: 'alias/a b', TargetKeyId: id }, violation("Value 'alias/a b' at 'aliasName' @ satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$")],
    ['CreateKey', { Tags: [tag('k'.repeat(129))] }, violation(`Value '${'k'.repeat(129)}' at 'tags.1.member.tagKey' @ have length less than or equal to 128`)],
    ['TagResource', { KeyId: id, Tags: [tag('k', 'v'.repeat(257))] }, violation(`Value '${'v'.repeat(257)}' at 'tags.1.member.tagValue' @ have length less than or equal to 256`)],
  ],
  'to create a key': () => [
    ['CreateKey', { KeySpec: 'HMAC_256' }, invalid('You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.')],
    ['CreateKey', { KeySpec: 'RSA_2048', KeyUsage: 'KEY_AGREEMENT' }, invalid('KeyUsage KEY_AGREEMENT is not compatible with KeySpec RSA_2048')],
    ['CreateKey', { KeySpec: 'ECC_NIST_P256', KeyUsage: 'ENCRYPT_DECRYPT' }, invalid('KeyUsage ENCRYPT_DECRYPT is not compatible with KeySpec ECC_NIST_P256')],
    ['CreateKey', { KeySpec: 'RSA_2048', CustomerMasterKeySpec: 'RSA_2048' }, invalid('You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.')],
    ['CreateKey', { Policy: '{"Statement":[{"Effect":"Allow","Principal":{"AWS":"nobody"},"Action":"kms:*","Resource":"*"}]}' }, error('MalformedPolicyDocumentException', 'Policy contains a statement with one or more invalid principals.')],
    ['CreateKey', { Policy: `{"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999988887777:user/x"},"Action":"kms:*","Resource":"*"}]}` }, error('MalformedPolicyDocumentException', 'The new key policy will not allow you to update the key policy in the future.')],
    ['CreateKey', { Policy: '{"Statement":[{"Effect":"Allow","Principal":{"AWS":[]},"Action":"kms:*","Resource":"*"}]}' }, error('MalformedPolicyDocumentException', 'Policy contains a statement with no principal.')],
    ['CreateKey', { Tags: [tag('a'), tag('a')] }, error('TagException', 'Duplicate tag keys')],
    ['CreateKey', { Tags: Array.from({ length: 51 }, (_, i) => tag(`${i}`)) }, error('TagException', 'Too many tags')],
    ['CreateKey', { Tags: [tag('AWS:x')] }, error('TagException', 'Tags beginning with aws: are reserved')],
  ],
  'of an alias': () => [
    ['CreateAlias', { AliasName: 'x', TargetKeyId: id }, invalid('Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html')],
    ['CreateAlias', { AliasName: 'alias/a:b', TargetKeyId: id }, invalid('alias/a:b contains invalid characters for an alias')],
    ['CreateAlias', { AliasName: 'alias/aws/x', TargetKeyId: id }, error('NotAuthorizedException')],
    ['CreateAlias', { AliasName: 'alias/x', TargetKeyId: 'alias/taken' }, invalid('Aliases must refer to keys. Not aliases')],
    ['CreateAlias', { AliasName: 'alias/taken', TargetKeyId: keys.symmetric.KeyId }, error('AlreadyExistsException', `An alias with the name ${prefix}alias/taken already exists`)],
    ['UpdateAlias', { AliasName: 'alias/taken', TargetKeyId: keys.signing.KeyId }, invalid('Alias alias/taken cannot be changed from a CMK with key usage ENCRYPT_DECRYPT to a CMK with key usage SIGN_VERIFY. The key usage of the current CMK and the new CMK must be the same.')],
    ['DeleteAlias', { AliasName: 'alias/none' }, error('NotFoundException', `Alias ${prefix}alias/none is not found.`)],
  ],
  'for the state of the key': () => [
    ['Encrypt', { KeyId: keys.disabled.KeyId, Plaintext: text }, error('DisabledException', `${keys.disabled.Arn} is disabled.`)],
    ['Encrypt', { KeyId: keys.pending.KeyId, Plaintext: text }, error('KMSInvalidStateException', `${keys.pending.Arn} is pending deletion.`)],
    ['TagResource', { KeyId: keys.pending.KeyId, Tags: [tag('a')] }, error('KMSInvalidStateException', `${keys.pending.Arn} is pending deletion.`)],
    ['ScheduleKeyDeletion', { KeyId: keys.pending.KeyId }, error('KMSInvalidStateException', `${keys.pending.Arn} is pending deletion.`)],
    ['CancelKeyDeletion', { KeyId: keys.symmetric.KeyId }, error('KMSInvalidStateException', `${keys.symmetric.Arn} is not pending deletion.`)],
  ],
  'for usage and algorithm': () => [
    ['GenerateMac', { KeyId: keys.symmetric.KeyId, Message: text, MacAlgorithm: 'HMAC_SHA_256' }, error('InvalidKeyUsageException', `${keys.symmetric.Arn} key usage is ENCRYPT_DECRYPT which is not valid for GenerateMac.`)],
    ['Encrypt', { KeyId: 'alias/signing', Plaintext: text }, error('InvalidKeyUsageException', `${keys.signing.Arn} key usage is SIGN_VERIFY which is not valid for Encrypt.`)],
    ['DeriveSharedSecret', { KeyId: keys.p384.KeyId, PublicKey: text, KeyAgreementAlgorithm: 'ECDH' }, error('InvalidKeyUsageException', `${keys.p384.Arn} key usage is SIGN_VERIFY which is not valid for DeriveSharedSecret.`)],
    ['GenerateMac', { KeyId: keys.hmac.KeyId, Message: text, MacAlgorithm: 'HMAC_SHA_256' }, error('InvalidKeyUsageException', 'Algorithm HMAC_SHA_256 is incompatible with key spec HMAC_224.')],
    ['Sign', { KeyId: keys.signing.KeyId, Message: text, SigningAlgorithm: 'SYMMETRIC_DEFAULT' }, error('InvalidKeyUsageException', 'Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.')],
    ['Verify', { KeyId: keys.p384.KeyId, Message: text, Signature: text, SigningAlgorithm: 'SYMMETRIC_DEFAULT' }, error('InvalidKeyUsageException', 'Algorithm SYMMETRIC_DEFAULT is incompatible with key spec ECC_NIST_P384.')],
    ['Encrypt', { KeyId: keys.rsa.KeyId, Plaintext: text }, error('InvalidKeyUsageException', 'Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.')],
    ['GenerateDataKey', { KeyId: keys.rsa.KeyId, KeySpec: 'AES_256' }, error('InvalidKeyUsageException', 'You cannot generate a data key with an asymmetric CMK')],
    ['GenerateDataKey', { KeyId: keys.symmetric.KeyId }, invalid('Please specify either number of bytes or key spec.')],
    ['GenerateDataKey', { KeyId: keys.hmac.KeyId, KeySpec: 'AES_256', NumberOfBytes: 1 }, invalid('Please specify either number of bytes or key spec.')],
    ['GetPublicKey', { KeyId: keys.symmetric.KeyId }, error('UnsupportedOperationException')],
  ],
  'of what does not decrypt': () => [
    ['Decrypt', { CiphertextBlob: blob }, error('InvalidCiphertextException')],
    ['Decrypt', { CiphertextBlob: text }, error('InvalidCiphertextException')],
    ['Decrypt', { CiphertextBlob: blob, KeyId: keys.other.KeyId, EncryptionContext: { a: 'b' } }, error('IncorrectKeyException', 'The key ID in the request does not identify a CMK that can perform this operation.')],
    ['Decrypt', { CiphertextBlob: blob, KeyId: keys.hmac.KeyId, EncryptionContext: { a: 'b' } }, error('IncorrectKeyException', 'The key ID in the request does not identify a CMK that can perform this operation.')],
    ['ReEncrypt', { CiphertextBlob: blob, SourceKeyId: keys.other.KeyId, DestinationKeyId: keys.other.KeyId }, error('IncorrectKeyException', 'The key ID in the request does not identify a CMK that can perform this operation.')],
    ['Decrypt', { CiphertextBlob: base64(256), KeyId: keys.rsa.KeyId }, error('InvalidCiphertextException')],
    ['Encrypt', { KeyId: keys.rsa.KeyId, Plaintext: base64(191), EncryptionAlgorithm: 'RSAES_OAEP_SHA_256' }, invalid('Algorithm RSAES_OAEP_SHA_256 and key spec RSA_2048 cannot encrypt data larger than 190 bytes.')],
    ['Encrypt', { KeyId: keys.rsa.KeyId, Plaintext: text, EncryptionAlgorithm: 'RSAES_OAEP_SHA_256', EncryptionContext: { a: 'b' } }, invalid('EncryptionContext is not supported when encrypting/decrypting with asymmetric CMKs.')],
    ['Encrypt', { KeyId: keys.symmetric.KeyId, Plaintext: text, DryRun: true }, error('DryRunOperationException', 'The request would have succeeded, but the DryRun option is set.')],
  ],
  'of what does not verify': () => [
    ['Sign', { KeyId: keys.p384.KeyId, Message: text, MessageType: 'DIGEST', SigningAlgorithm: 'ECDSA_SHA_384' }, invalid('Digest is invalid length for algorithm ECDSA_SHA_384.')],
    ['Verify', { KeyId: keys.p384.KeyId, Message: text, Signature: text, MessageType: 'DIGEST', SigningAlgorithm: 'ECDSA_SHA_384' }, invalid('Digest is invalid length for algorithm ECDSA_SHA_384.')],
    ['Verify', { KeyId: keys.signing.KeyId, Message: text, Signature: text, SigningAlgorithm: 'RSASSA_PSS_SHA_256' }, error('KMSInvalidSignatureException')],
    ['VerifyMac', { KeyId: keys.hmac.KeyId, Message: text, Mac: text, MacAlgorithm: 'HMAC_SHA_224' }, error('KMSInvalidMacException')],
    ['DeriveSharedSecret', { KeyId: keys.agreement.KeyId, PublicKey: text, KeyAgreementAlgorithm: 'ECDH' }, error('ValidationException')],
  ],
}

it.each(Object.entries(rows))('a refusal %s', async (_, table) => {
  const credentials = installation.credentials[home]!
  const outcomes: string[] = []
  for (const [target, body] of table()) {
    const answer = await signedPost({ url: gateway.url, credentials, target, body })
    outcomes.push(`${target}: ${answer.status} ${answer.body}`)
  }
  expect(outcomes).toEqual(table().map(([operation, , body]) => `${operation}: 400 ${body}`))
})

it('a denial, the only error with an upper-case Message', async () => {
  const nobody = `{"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999988887777:user/x"},"Action":"*","Resource":"*"}}`
  const { KeyMetadata } = await gateway.client().createKey({ Policy: nobody, BypassPolicyLockoutSafetyCheck: true })
  const body = { KeyId: KeyMetadata!.KeyId }
  const credentials = installation.credentials[home]!
  expect((await signedPost({ url: gateway.url, credentials, target: 'DescribeKey', body })).body).toBe(
    `{"__type":"AccessDeniedException","Message":"User: arn:aws:iam::${home}:user/administrator is not authorized to perform: kms:DescribeKey on resource: ${KeyMetadata!.Arn} because no resource-based policy allows the kms:DescribeKey action"}`,
  )
})
