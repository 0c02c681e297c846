/** Conditions as guides write them, through the AWS SDK. */
import type { CreateKeyCommandInput, GrantOperation, KMS, SignCommandInput } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, home, type Installation, install, serve } from './gateway.ts'
import { type Identity, policyOf, withIdentities } from './identities.ts'
import { refusal } from './requests.ts'

const administrator = `arn:aws:iam::${home}:user/administrator`
const keyPattern = `arn:aws:kms:*:${home}:key/*`

let installation: Installation
let gateway: Gateway
let admin: KMS
const callers: Record<string, Identity> = {}

/** Identity-based policies, by the user that has them. */
const identityPolicies: Readonly<Record<string, readonly object[]>> = {
  alice: [],
  byAlias: [
    {
      Effect: 'Allow',
      Action: ['kms:Encrypt', 'kms:DescribeKey'],
      Resource: keyPattern,
      Condition: { 'ForAnyValue:StringEquals': { 'kms:ResourceAliases': 'alias/finance-key' } },
    },
  ],
  byTag: [
    {
      Effect: 'Allow',
      Action: ['kms:Encrypt', 'kms:DescribeKey'],
      Resource: keyPattern,
      Condition: { StringEquals: { 'aws:ResourceTag/Team': `\${aws:PrincipalTag/Team}` } },
    },
  ],
  creator: [
    {
      Effect: 'Allow',
      Action: 'kms:CreateKey',
      Resource: '*',
      Condition: { StringLike: { 'kms:KeySpec': 'ECC_*' }, StringEquals: { 'kms:KeyUsage': 'SIGN_VERIFY' } },
    },
    {
      Effect: 'Allow',
      Action: ['kms:CreateKey', 'kms:TagResource'],
      Resource: '*',
      Condition: {
        StringEquals: { 'aws:RequestTag/Team': ['Blue', 'Red'], 'kms:KeySpec': 'SYMMETRIC_DEFAULT' },
        'ForAllValues:StringEquals': { 'aws:TagKeys': ['Team', 'Stage'] },
      },
    },
    {
      Effect: 'Deny',
      Action: 'kms:CreateKey',
      Resource: '*',
      Condition: { Bool: { 'kms:BypassPolicyLockoutSafetyCheck': true } },
    },
  ],
}

beforeAll(async () => {
  installation = await install()
  await withIdentities(installation, async identities => {
    for (const [name, statements] of Object.entries(identityPolicies)) {
      const policies = statements.length > 0 ? [policyOf(...statements)] : []
      callers[name] = await identities.user(home, name, { policies, tags: { Team: 'Blue' } })
    }
  })
  gateway = await serve(installation)
  admin = gateway.client()
})
afterAll(async () => {
  expect(gateway?.complaints()).toEqual([])
  await gateway?.stop()
  installation?.remove()
})

const as = (caller: string) => gateway.client({ credentials: callers[caller]!.credentials })

/** A statement on alice. */
function statement(Action: string | string[], Condition: object, rest: object = {}): object {
  return { Effect: 'Allow', Principal: { AWS: callers.alice!.arn }, Action, Resource: '*', Condition, ...rest }
}

/** A key that its administrator may use for everything, and alice by the statements. */
async function keyWith(statements: readonly object[], rest: CreateKeyCommandInput = {}): Promise<string> {
  const own = { Effect: 'Allow', Principal: { AWS: administrator }, Action: 'kms:*', Resource: '*' }
  const Policy = JSON.stringify(policyOf(own, ...statements))
  return (await admin.createKey({ Policy, ...rest })).KeyMetadata!.KeyId!
}

const Plaintext = Buffer.from('text')
const isRefused = (call: Promise<unknown>) => expect(call).rejects.toThrow(/^User: .* is not authorized to perform: /)

describe('a key policy', () => {
  it('allows log groups of the account, as CloudWatch Logs is allowed', async () => {
    const pattern = `arn:aws:logs:us-east-1:${home}:*`
    const actions = ['kms:Encrypt*', 'kms:Decrypt*', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:Describe*']
    const KeyId = await keyWith([statement(actions, { ArnLike: { 'kms:EncryptionContext:aws:logs:arn': pattern } })])
    const kms = as('alice')
    const EncryptionContext = { 'aws:logs:arn': `arn:aws:logs:us-east-1:${home}:log-group:audit` }
    const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext, EncryptionContext })
    expect((await kms.decrypt({ CiphertextBlob, EncryptionContext })).Plaintext).toEqual(new Uint8Array(Plaintext))
    await kms.generateDataKey({ KeyId, KeySpec: 'AES_256', EncryptionContext })
    const elsewhere = { 'aws:logs:arn': 'arn:aws:logs:us-east-1:444455556666:log-group:audit' }
    await isRefused(kms.encrypt({ KeyId, Plaintext, EncryptionContext: elsewhere }))
    await isRefused(kms.encrypt({ KeyId, Plaintext }))
    await isRefused(kms.describeKey({ KeyId }))
    // The source has no context, so only the destination may be used.
    const reEncrypted = { CiphertextBlob, SourceEncryptionContext: EncryptionContext, DestinationKeyId: KeyId }
    await kms.reEncrypt({ ...reEncrypted, DestinationEncryptionContext: EncryptionContext })
    await expect(kms.reEncrypt(reEncrypted)).rejects.toThrow('is not authorized to perform: kms:ReEncryptTo')
  })

  it('for AWS services allows no direct caller, and one for an account allows all of its callers', async () => {
    const principal = { Principal: { AWS: '*' } }
    const ofAccount = { 'kms:CallerAccount': home }
    const viaService = { ...ofAccount, 'kms:ViaService': 'ec2.us-east-1.amazonaws.com' }
    const KeyId = await keyWith([
      statement('kms:Encrypt', { StringEquals: viaService }, principal),
      statement('kms:DescribeKey', { StringEquals: ofAccount }, principal),
      statement('kms:ListGrants', { Bool: { 'kms:GrantIsForAWSResource': 'true' } }),
      statement('kms:ListKeyPolicies', { StringNotEquals: { 'kms:CallerAccount': home } }, principal),
    ])
    const kms = as('alice')
    await kms.describeKey({ KeyId })
    await isRefused(kms.encrypt({ KeyId, Plaintext }))
    await isRefused(kms.listGrants({ KeyId }))
    await isRefused(kms.listKeyPolicies({ KeyId }))
  })

  it('on the keys of an encryption context lets requests without a context through unless it forbids that', async () => {
    const onlyAppName = { 'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': ['AppName'] } }
    const [open, guarded] = [
      await keyWith([statement('kms:Encrypt', onlyAppName)]),
      await keyWith([statement('kms:Encrypt', { ...onlyAppName, Null: { 'kms:EncryptionContextKeys': false } })]),
    ]
    const kms = as('alice')
    const encrypt = (KeyId: string, EncryptionContext?: Record<string, string>) =>
      kms.encrypt({ KeyId, Plaintext, ...(EncryptionContext && { EncryptionContext }) })
    for (const KeyId of [open, guarded]) {
      await encrypt(KeyId, { AppName: 'x' })
      await isRefused(encrypt(KeyId, { appname: 'x' }))
      await isRefused(encrypt(KeyId, { AppName: 'x', Other: 'y' }))
    }
    await encrypt(open)
    await encrypt(open, {})
    await isRefused(encrypt(guarded))
    await isRefused(encrypt(guarded, {}))
  })

  it('requires the name of the caller in the encryption context', async () => {
    const condition = { StringEquals: { 'kms:EncryptionContext:User': `\${aws:username}` } }
    const KeyId = await keyWith([statement('kms:Encrypt', condition)])
    await as('alice').encrypt({ KeyId, Plaintext, EncryptionContext: { user: 'alice' } })
    await isRefused(as('alice').encrypt({ KeyId, Plaintext, EncryptionContext: { user: 'bob' } }))
    const both = { User: 'bob', user: 'mallory' }
    await isRefused(as('alice').encrypt({ KeyId, Plaintext, EncryptionContext: both }))
  })

  it('allows a key by one alias only', async () => {
    const KeyId = await keyWith([
      statement(['kms:Encrypt', 'kms:DescribeKey'], { StringEquals: { 'kms:RequestAlias': 'alias/front-door' } }),
    ])
    for (const AliasName of ['alias/front-door', 'alias/back-door'])
      await admin.createAlias({ AliasName, TargetKeyId: KeyId })
    const kms = as('alice')
    const { KeyMetadata } = await kms.describeKey({ KeyId: 'alias/front-door' })
    await kms.encrypt({ KeyId: `arn:aws:kms:us-east-1:${home}:alias/front-door`, Plaintext })
    for (const identifier of ['alias/back-door', KeyId, KeyMetadata!.Arn!])
      await isRefused(kms.encrypt({ KeyId: identifier, Plaintext }))
  })

  it('allows one signing algorithm and message type', async () => {
    const KeyId = await keyWith(
      [
        statement('kms:Sign', { StringLike: { 'kms:SigningAlgorithm': 'ECDSA_*' } }),
        statement(
          '*',
          { StringNotEquals: { 'kms:MessageType': 'RAW' } },
          { Effect: 'Deny', Action: ['kms:Sign', 'kms:Verify'] },
        ),
      ],
      { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' },
    )
    const sign = (rest: Partial<SignCommandInput>) =>
      as('alice').sign({ KeyId, Message: Buffer.alloc(32), SigningAlgorithm: 'ECDSA_SHA_256', ...rest })
    await sign({})
    await sign({ MessageType: 'RAW' })
    await isRefused(sign({ MessageType: 'DIGEST' }))
    await isRefused(sign({ SigningAlgorithm: 'RSASSA_PSS_SHA_256' }))
  })

  it('allows one spec of data key pairs, and one encryption algorithm', async () => {
    const KeyId = await keyWith([
      statement('kms:GenerateDataKeyPair', { StringLike: { 'kms:DataKeyPairSpec': 'ECC_NIST_*' } }),
      statement(
        '*',
        { StringNotEquals: { 'kms:EncryptionAlgorithm': 'SYMMETRIC_DEFAULT' } },
        { Effect: 'Deny', Action: ['kms:Encrypt', 'kms:GenerateDataKey*'] },
      ),
      statement('kms:Encrypt', {}),
    ])
    const kms = as('alice')
    await kms.generateDataKeyPair({ KeyId, KeyPairSpec: 'ECC_NIST_P256' })
    await isRefused(kms.generateDataKeyPair({ KeyId, KeyPairSpec: 'RSA_4096' }))
    await kms.encrypt({ KeyId, Plaintext })
    await isRefused(kms.encrypt({ KeyId, Plaintext, EncryptionAlgorithm: 'RSAES_OAEP_SHA_256' }))
  })

  it('allows re-encryption under the same key only', async () => {
    const sameKey = { Bool: { 'kms:ReEncryptOnSameKey': true } }
    const [KeyId, other] = [
      await keyWith([statement('kms:ReEncrypt*', sameKey)]),
      await keyWith([statement('kms:ReEncrypt*', {})]),
    ]
    const { CiphertextBlob } = await admin.encrypt({ KeyId, Plaintext })
    const kms = as('alice')
    await kms.reEncrypt({ CiphertextBlob, DestinationKeyId: KeyId })
    await expect(kms.reEncrypt({ CiphertextBlob, SourceKeyId: KeyId, DestinationKeyId: other })).rejects.toThrow(
      'is not authorized to perform: kms:ReEncryptFrom',
    )
  })

  it('limits the waiting period of a deletion, and protects keys that may be in use', async () => {
    const deletion = ['kms:ScheduleKeyDeletion', 'kms:DisableKey']
    const tooShort = { NumericLessThanEquals: { 'kms:ScheduleKeyDeletionPendingWindowInDays': '21' } }
    const inUse = { NumericLessThanEquals: { 'kms:TrailingDaysWithoutKeyUsage': '365' } }
    const KeyId = await keyWith([
      statement(deletion, {}),
      statement('*', tooShort, { Effect: 'Deny', Action: deletion }),
    ])
    const used = await keyWith([statement(deletion, {}), statement('*', inUse, { Effect: 'Deny', Action: deletion })])
    const kms = as('alice')
    await isRefused(kms.scheduleKeyDeletion({ KeyId, PendingWindowInDays: 21 }))
    await kms.disableKey({ KeyId })
    await kms.scheduleKeyDeletion({ KeyId })
    await isRefused(kms.disableKey({ KeyId: used }))
    await isRefused(kms.scheduleKeyDeletion({ KeyId: used }))
  })

  it('allows a new key policy only without the parameter that bypasses its check', async () => {
    const absent = { Null: { 'kms:BypassPolicyLockoutSafetyCheck': true } }
    const KeyId = await keyWith([statement(['kms:PutKeyPolicy', 'kms:GetKeyPolicy'], absent)])
    const kms = as('alice')
    const { Policy } = await kms.getKeyPolicy({ KeyId })
    for (const BypassPolicyLockoutSafetyCheck of [true, false])
      await isRefused(kms.putKeyPolicy({ KeyId, Policy, BypassPolicyLockoutSafetyCheck }))
    await kms.putKeyPolicy({ KeyId, Policy })
  })

  it('limits the grants that a caller creates, and keeps grants for AWS resources from direct callers', async () => {
    const create = (Condition: object) => statement('kms:CreateGrant', Condition)
    const forService = await keyWith([create({ Bool: { 'kms:GrantIsForAWSResource': 'true' } })])
    const limited = await keyWith([
      create({
        'ForAllValues:StringEquals': { 'kms:GrantOperations': ['Encrypt', 'Decrypt'] },
        StringEquals: {
          'kms:GrantConstraintType': 'EncryptionContextEquals',
          'kms:EncryptionContext:AppName': 'ExampleApp',
          'kms:GranteePrincipal': callers.byTag!.arn,
        },
      }),
    ])
    const wanted = {
      GranteePrincipal: callers.byTag!.arn,
      Operations: ['Encrypt', 'Decrypt'] as GrantOperation[],
      Constraints: { EncryptionContextEquals: { AppName: 'ExampleApp' } },
    }
    const grant = (KeyId: string, rest: object = {}) => as('alice').createGrant({ KeyId, ...wanted, ...rest })
    await isRefused(grant(forService))
    await isRefused(grant(limited, { GranteePrincipal: callers.byAlias!.arn }))
    await isRefused(grant(limited, { Operations: ['Encrypt', 'DescribeKey'] }))
    await isRefused(grant(limited, { Constraints: undefined }))
    await isRefused(grant(limited, { Constraints: { EncryptionContextEquals: { AppName: 'Other' } } }))
    await isRefused(grant(limited, { Constraints: { EncryptionContextSubset: { AppName: 'ExampleApp' } } }))
    await grant(limited)
    const kms = as('byTag')
    await kms.encrypt({ KeyId: limited, Plaintext, EncryptionContext: { AppName: 'ExampleApp' } })
    await isRefused(kms.encrypt({ KeyId: limited, Plaintext }))
  })

  it('allows addresses, and denies requests without TLS', async () => {
    const local = { IpAddress: { 'aws:SourceIp': ['127.0.0.0/8', '::1/128'] } }
    const remote = { IpAddress: { 'aws:SourceIp': '192.0.2.0/24' } }
    const insecure = { Bool: { 'aws:SecureTransport': 'false' } }
    const KeyId = await keyWith([
      statement(['kms:Encrypt', 'kms:GetKeyPolicy'], local),
      statement('kms:DescribeKey', remote),
      statement('*', insecure, { Effect: 'Deny', Action: 'kms:GetKeyPolicy' }),
    ])
    const kms = as('alice')
    await kms.encrypt({ KeyId, Plaintext })
    await isRefused(kms.describeKey({ KeyId }))
    await isRefused(kms.getKeyPolicy({ KeyId }))
  })
})

describe('an identity-based policy', () => {
  it('allows the keys that have an alias, however they are named', async () => {
    const KeyId = (await admin.createKey({})).KeyMetadata!.KeyId!
    const kms = as('byAlias')
    await isRefused(kms.encrypt({ KeyId, Plaintext }))
    await admin.createAlias({ AliasName: 'alias/finance-key', TargetKeyId: KeyId })
    await kms.encrypt({ KeyId, Plaintext })
    await kms.describeKey({ KeyId })
    await admin.updateAlias({ AliasName: 'alias/finance-key', TargetKeyId: await keyWith([]) })
    await isRefused(kms.encrypt({ KeyId, Plaintext }))
  })

  it('allows the keys that have the tag of the caller', async () => {
    const Tags = [{ TagKey: 'team', TagValue: 'Blue' }]
    const KeyId = (await admin.createKey({ Tags })).KeyMetadata!.KeyId!
    const kms = as('byTag')
    await kms.encrypt({ KeyId, Plaintext })
    await admin.tagResource({ KeyId, Tags: [{ TagKey: 'team', TagValue: 'Red' }] })
    await isRefused(kms.encrypt({ KeyId, Plaintext }))
    await admin.untagResource({ KeyId, TagKeys: ['team'] })
    await isRefused(kms.encrypt({ KeyId, Plaintext }))
  })

  it('allows keys of some kinds to be created, with the tags that it requires', async () => {
    const kms = as('creator')
    const signing = { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' } as const
    const tagged = (...tags: string[]) => ({
      Tags: tags.map(tag => ({ TagKey: tag.split('=')[0], TagValue: tag.split('=')[1] })),
    })
    await kms.createKey(signing)
    await kms.createKey(tagged('Team=Blue'))
    await kms.createKey(tagged('Team=Red', 'Stage=Test'))
    await isRefused(kms.createKey({}))
    await isRefused(kms.createKey({ ...signing, KeyUsage: 'KEY_AGREEMENT' }))
    await isRefused(kms.createKey(tagged('Team=Green')))
    await isRefused(kms.createKey(tagged('Team=Blue', 'Other=x')))
    await isRefused(kms.createKey({ ...tagged('Team=Blue'), KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' }))
    await isRefused(kms.createKey({ ...signing, BypassPolicyLockoutSafetyCheck: true }))
    await expect(kms.createKey({ ...signing, ...tagged('Team=Blue') })).rejects.toThrow(
      `User: ${callers.creator!.arn} is not authorized to perform: kms:TagResource on resource: * because no identity-based policy allows the kms:TagResource action`,
    )
  })
})

describe('a refusal', () => {
  it('tells the caller what AWS tells, and the operator which condition does not hold on which value', async () => {
    const condition = { StringEquals: { 'kms:EncryptionContext:Stage': 'Test' } }
    const KeyId = await keyWith([statement('kms:Encrypt', condition, { Sid: 'TestOnly' })])
    const call = as('alice').encrypt({ KeyId, Plaintext, EncryptionContext: { Stage: 'Prod' } })
    const { arn } = callers.alice!
    const resource = `arn:aws:kms:us-east-1:${home}:key/${KeyId}`
    const text = `User: ${arn} is not authorized to perform: kms:Encrypt on resource: ${resource} because no resource-based policy allows the kms:Encrypt action`
    expect(await refusal(call)).toBe(`AccessDeniedException: ${text}`)
    const { requestID, ...record } = gateway.records().at(-1)!
    const line = await gateway.logged(fields => fields.event === 'access_denied' && fields.requestId === requestID)
    expect(line).toMatchObject({ level: 30, principal: arn, operation: 'Encrypt', action: 'kms:Encrypt', resource })
    const { reasons } = line as { readonly reasons: readonly string[] }
    expect(reasons.join('\n')).toMatch(/TestOnly.*StringEquals.*kms:EncryptionContext:Stage.*Test.*Prod/)
    expect(record).toMatchObject({
      errorCode: 'AccessDenied',
      errorMessage: text,
      additionalEventData: { strongroom: { reasons } },
    })
    expect(JSON.stringify([line, record])).not.toContain(Plaintext.toString('base64'))
  })

  it('of a ciphertext of a key that does not exist tells the operator so', async () => {
    const { CiphertextBlob } = await gateway
      .client({ region: 'eu-west-1' })
      .createKey({})
      .then(({ KeyMetadata }) =>
        gateway.client({ region: 'eu-west-1' }).encrypt({ KeyId: KeyMetadata!.KeyId!, Plaintext }),
      )
    await expect(admin.decrypt({ CiphertextBlob })).rejects.toThrow('The ciphertext refers to a customer master key')
    const { requestID } = gateway.records().at(-1)!
    const line = await gateway.logged(fields => fields.event === 'access_denied' && fields.requestId === requestID)
    expect(line.reasons).toEqual(['No key of this region has the material that the ciphertext names.'])
  })
})
