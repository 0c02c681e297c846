/** Grants through the AWS SDK: who gets what by them, and nothing more. */
import type { CreateGrantCommandInput, GrantListEntry, GrantOperation, KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { model } from '../../src/apis/kms/model.ts'
import type { OperationName } from '../../src/operations/kms/operation.ts'
import { type Gateway, home, type Installation, install, serve } from './gateway.ts'
import { type Identity, policyOf, type Role, withIdentities } from './identities.ts'
import { call, refusal, send } from './requests.ts'

const other = '444455556666'
const Plaintext = Buffer.from('plaintext')
const dryRun = 'DryRunOperationException: The request would have succeeded, but the DryRun option is set.'
const unknownId = 'a'.repeat(64)

let installation: Installation
let gateway: Gateway
let admin: KMS
let stranger: KMS
const users = {} as Record<'alice' | 'bob' | 'carol' | 'denied' | 'retirer' | 'delegated', Identity>
let role: Role
let sessions: readonly [Identity, Identity, Identity]

const as = ({ credentials }: Identity) => gateway.client({ credentials })

beforeAll(async () => {
  installation = await install({ accounts: [home, other] })
  await withIdentities(installation, async identities => {
    const allow = (action: string, Effect = 'Allow') => policyOf({ Effect, Action: action, Resource: '*' })
    users.alice = await identities.user(home, 'division/alice')
    users.bob = await identities.user(home, 'bob')
    users.carol = await identities.user(other, 'carol')
    users.retirer = await identities.user(other, 'retirer')
    users.denied = await identities.user(home, 'denied', { policies: [allow('kms:RetireGrant', 'Deny')] })
    users.delegated = await identities.user(home, 'delegated', { policies: [allow('kms:*')] })
    role = await identities.role(home, 'service/backup')
    const limits = { policies: [allow('kms:ListKeys')] }
    sessions = [
      await identities.session(role, 'one'),
      await identities.session(role, 'two'),
      await identities.session(role, 'limited', limits),
    ]
  })
  gateway = await serve(installation)
  admin = gateway.client()
  stranger = gateway.client({ account: other })
})
afterAll(async () => {
  expect(gateway?.complaints()).toEqual([])
  await gateway?.stop()
  installation?.remove()
})

/** A key that the administrator of `home` alone may use, and manage. */
async function createKey(spec: object = {}): Promise<string> {
  const { KeyMetadata } = await admin.createKey(spec)
  return KeyMetadata!.Arn!
}

type Rest = Partial<Omit<CreateGrantCommandInput, 'Operations'>>
/** Resolves to id and token. @param by defaults to the administrator */
async function grant(KeyId: string, grantee: string, Operations: GrantOperation[], rest: Rest = {}, by = admin) {
  const made = await by.createGrant({ KeyId, GranteePrincipal: grantee, Operations, ...rest })
  return { id: made.GrantId!, token: made.GrantToken! }
}

const encrypt = (client: KMS, KeyId: string, EncryptionContext: Record<string, string> = {}, rest: object = {}) =>
  refusal(client.encrypt({ KeyId, Plaintext, EncryptionContext, ...rest }))
const allowed = 'no refusal'
const denied = expect.stringMatching(/^AccessDeniedException: /)

async function listed(KeyId: string, filter: object = {}): Promise<GrantListEntry[]> {
  return (await admin.listGrants({ KeyId, ...filter })).Grants!
}

describe('a grant', () => {
  it('is given back as it came', async () => {
    const KeyId = await createKey()
    const given = {
      Name: 'first:/_-',
      GranteePrincipal: sessions[0].arn,
      RetiringPrincipal: `arn:aws:iam::${other}:root`,
      Operations: ['Decrypt', 'CreateGrant', 'Encrypt', 'Decrypt', 'DescribeKey'] as GrantOperation[],
      Constraints: {
        EncryptionContextEquals: { b: '2', a: 'Grüße', __proto__x: '' },
        EncryptionContextSubset: { a: 'Grüße' },
      },
    }
    const full = await admin.createGrant({ KeyId: KeyId.split('/')[1]!, ...given })
    const least = await admin.createGrant({ KeyId, GranteePrincipal: role.arn, Operations: ['Encrypt'] })
    for (const { GrantId, GrantToken } of [full, least]) {
      expect(GrantId).toMatch(/^[0-9a-f]{64}$/)
      expect(GrantToken).toMatch(/^[\w-]{100,1000}$/)
    }
    const common = { KeyId, CreationDate: expect.any(Date), IssuingAccount: `arn:aws:iam::${home}:root` }
    expect(await listed(KeyId, { GrantId: full.GrantId })).toEqual([{ ...common, ...given, GrantId: full.GrantId }])
    expect(await listed(KeyId, { GrantId: least.GrantId })).toEqual([
      { ...common, Name: '', GranteePrincipal: role.arn, Operations: ['Encrypt'], GrantId: least.GrantId },
    ])
  })

  it('is in effect at once, for its grantee and operations, with a token and without, until it is revoked', async () => {
    const KeyId = await createKey()
    const [alice, bob] = [as(users.alice), as(users.bob)]
    expect(await encrypt(alice, KeyId)).toEqual(denied)
    const { id, token } = await grant(KeyId, users.alice.arn, ['Encrypt', 'GenerateDataKey'])
    expect(await encrypt(alice, KeyId)).toBe(allowed)
    expect(await encrypt(alice, KeyId, {}, { GrantTokens: [token] })).toBe(allowed)
    expect(await refusal(alice.generateDataKey({ KeyId, KeySpec: 'AES_256' }))).toBe(allowed)
    const { CiphertextBlob } = await alice.encrypt({ KeyId, Plaintext })
    const GrantTokens = [token]
    expect(await refusal(alice.decrypt({ CiphertextBlob, GrantTokens }))).toEqual(denied)
    expect(await refusal(alice.describeKey({ KeyId, GrantTokens }))).toEqual(denied)
    expect(await encrypt(bob, KeyId, {}, { GrantTokens })).toEqual(denied)
    expect(await encrypt(alice, await createKey(), {}, { GrantTokens })).toEqual(denied)
    await admin.revokeGrant({ KeyId, GrantId: id })
    expect(await encrypt(alice, KeyId, {}, { GrantTokens })).toEqual(denied)
    expect(await encrypt(admin, KeyId, {}, { GrantTokens })).toBe(allowed)
  })

  it('applies to encryption contexts that fit its constraints', async () => {
    const [equal, subset] = [await createKey(), await createKey()]
    const context = { App: 'x', Stage: '1' }
    const operations: GrantOperation[] = ['Encrypt', 'Decrypt', 'ReEncryptFrom', 'ReEncryptTo', 'DescribeKey']
    const constrained = (key: string, Constraints: object) => grant(key, users.alice.arn, operations, { Constraints })
    await constrained(equal, { EncryptionContextEquals: context })
    await constrained(subset, { EncryptionContextSubset: { App: 'x' } })
    const alice = as(users.alice)
    // biome-ignore format: a table
    const table: [Record<string, string>, string, unknown, unknown][] = [
      // context                                equal     subset
      [{ Stage: '1', App: 'x' },                'fits',   allowed, allowed],
      [{ App: 'x' },                            'less',   denied,  allowed],
      [{ ...context, more: '' },                'more',   denied,  allowed],
      [{},                                      'none',   denied,  denied],
      [{ app: 'x', Stage: '1' },                'key',    denied,  denied],
      [{ App: 'X', Stage: '1' },                'value',  denied,  denied],
      [{ Stage: '1' },                          'other',  denied,  denied],
    ]
    for (const [given, what, byEqual, bySubset] of table) {
      expect(await encrypt(alice, equal, given), what).toEqual(byEqual)
      expect(await encrypt(alice, subset, given), what).toEqual(bySubset)
    }
    const { CiphertextBlob } = await alice.encrypt({ KeyId: equal, Plaintext, EncryptionContext: context })
    const move = (DestinationEncryptionContext: Record<string, string>) =>
      refusal(
        alice.reEncrypt({
          CiphertextBlob,
          SourceEncryptionContext: context,
          DestinationKeyId: subset,
          DestinationEncryptionContext,
        }),
      )
    expect(await move({ App: 'x' })).toBe(allowed)
    expect(await move({ App: 'y' })).toEqual(denied)
    expect(await refusal(alice.decrypt({ CiphertextBlob, EncryptionContext: { App: 'x' } }))).toEqual(denied)
    for (const KeyId of [equal, subset]) expect(await refusal(alice.describeKey({ KeyId }))).toBe(allowed)
    expect(await encrypt(alice, equal, { App: 'y' })).toEqual(denied)
    const { reasons } = gateway.records().at(-1)!.additionalEventData!.strongroom as { reasons: string[] }
    const [{ GrantId }] = (await listed(equal)) as [GrantListEntry]
    expect(reasons).toContain(
      `Grant ${GrantId} allows the action to the caller, but its constraints do not fit the request.`,
    )
  })

  it('to a user of another account needs no policy of that account; to an account, one', async () => {
    const KeyId = await createKey()
    const carol = as(users.carol)
    for (const client of [carol, stranger]) expect(await encrypt(client, KeyId)).toEqual(denied)
    await grant(KeyId, users.carol.arn, ['Encrypt', 'DescribeKey'])
    expect(await encrypt(carol, KeyId)).toBe(allowed)
    expect((await carol.describeKey({ KeyId })).KeyMetadata?.AWSAccountId).toBe(home)
    const { CiphertextBlob } = await carol.encrypt({ KeyId, Plaintext })
    expect(await refusal(carol.decrypt({ CiphertextBlob }))).toMatch(/The ciphertext refers to a customer master key/)
    await grant(KeyId, users.carol.arn, ['Decrypt'])
    expect(Buffer.from((await carol.decrypt({ CiphertextBlob })).Plaintext!)).toEqual(Plaintext)
    expect(await encrypt(stranger, KeyId)).toEqual(denied)
    await grant(KeyId, `arn:aws:iam::${other}:root`, ['Encrypt'])
    expect(await encrypt(stranger, KeyId)).toBe(allowed)
    expect(await encrypt(as(users.retirer), KeyId)).toEqual(denied)
  })

  it('to a session is of no use to another one; to a role, to all that their session policies do not limit', async () => {
    const [session, whole] = [await createKey(), await createKey()]
    await grant(session, sessions[0].arn, ['Encrypt'])
    await grant(whole, role.arn, ['Encrypt'])
    const outcomes = (key: string) => Promise.all(sessions.map(one => encrypt(as(one), key)))
    expect(await outcomes(session)).toEqual([allowed, denied, denied])
    expect(await outcomes(whole)).toEqual([allowed, allowed, denied])
    await grant(session, sessions[2].arn, ['Encrypt'])
    expect(await outcomes(session)).toEqual([allowed, denied, allowed])
  })

  it('does not allow what a policy denies', async () => {
    const Statement = ['Allow', 'Deny'].map(Effect => ({
      Effect,
      Principal: { AWS: Effect === 'Allow' ? `arn:aws:iam::${home}:root` : users.alice.arn },
      Action: Effect === 'Allow' ? 'kms:*' : 'kms:Encrypt',
      Resource: '*',
    }))
    const KeyId = await createKey({ Policy: JSON.stringify({ Version: '2012-10-17', Statement }) })
    await grant(KeyId, users.alice.arn, ['Encrypt', 'GenerateDataKey'])
    expect(await encrypt(as(users.alice), KeyId)).toMatch(/with an explicit deny in a resource-based policy$/)
    expect(await refusal(as(users.alice).generateDataKey({ KeyId, KeySpec: 'AES_256' }))).toBe(allowed)
  })
})

describe('a grant with a name', () => {
  it('is created once for identical requests, with a new token for each', async () => {
    const [KeyId, second] = [await createKey(), await createKey()]
    const rest = {
      Name: 'volume',
      RetiringPrincipal: users.retirer.arn,
      Constraints: { EncryptionContextSubset: { a: '1', b: '2' } },
    }
    const first = await grant(KeyId, users.alice.arn, ['Encrypt', 'Decrypt'], rest)
    const reordered = { ...rest, Constraints: { EncryptionContextSubset: { b: '2', a: '1' } } }
    const again = await grant(KeyId, users.alice.arn, ['Decrypt', 'Encrypt'], reordered)
    expect(again.id).toBe(first.id)
    expect(again.token).not.toBe(first.token)
    const others = [
      await grant(second, users.alice.arn, ['Encrypt', 'Decrypt'], rest),
      await grant(KeyId, users.bob.arn, ['Encrypt', 'Decrypt'], rest),
      await grant(KeyId, users.alice.arn, ['Encrypt'], rest),
      await grant(KeyId, users.alice.arn, ['Encrypt', 'Decrypt'], { ...rest, RetiringPrincipal: users.bob.arn }),
      await grant(KeyId, users.alice.arn, ['Encrypt', 'Decrypt'], { ...rest, Constraints: {} }),
      await grant(KeyId, users.alice.arn, ['Encrypt', 'Decrypt'], {
        ...rest,
        Constraints: { EncryptionContextEquals: { a: '1', b: '2' } },
      }),
    ]
    expect(new Set([first, ...others].map(({ id }) => id)).size).toBe(7)
    expect((await listed(KeyId)).map(({ Name }) => Name)).toEqual(Array(6).fill('volume'))
    await admin.revokeGrant({ KeyId, GrantId: first.id })
    expect((await grant(KeyId, users.alice.arn, ['Encrypt', 'Decrypt'], rest)).id).not.toBe(first.id)
  })

  it('is created once for concurrent requests, and any number of times without a name', async () => {
    const [named, unnamed] = [await createKey(), await createKey()]
    const twenty = (key: string, rest: Rest) =>
      Promise.all(Array.from({ length: 20 }, () => grant(key, users.alice.arn, ['Encrypt'], rest)))
    const [same, different] = [await twenty(named, { Name: 'one' }), await twenty(unnamed, {})]
    expect(new Set(same.map(({ id }) => id)).size).toBe(1)
    expect(new Set(same.map(({ token }) => token)).size).toBe(20)
    expect(await listed(named)).toHaveLength(1)
    expect(new Set(different.map(({ id }) => id)).size).toBe(20)
  })
})

describe('a grant token', () => {
  it.each<[string, (token: string) => string]>([
    ['made up', () => 'token'],
    ['of another form', token => `${token}=`],
    ['cut', token => token.slice(0, -1)],
    ['cut to its header', token => token.slice(0, 51)],
    ['lengthened', token => `${token}A`],
    ['with another key', token => `${token.slice(0, 20)}${token[20] === 'A' ? 'B' : 'A'}${token.slice(21)}`],
    ['with another end', token => `${token.slice(0, -2)}${token.at(-2) === 'A' ? 'B' : 'A'}${token.at(-1)}`],
    ['in upper case', token => token.toUpperCase()],
    ['that is a ciphertext of a key', () => ciphertext],
  ])('%s is refused', async (_, altered) => {
    tokenKey ??= await createKey()
    const { token } = await grant(tokenKey, users.alice.arn, ['Encrypt'])
    const blob = (await admin.encrypt({ KeyId: tokenKey, Plaintext })).CiphertextBlob!
    ciphertext = Buffer.from(blob).toString('base64url')
    const GrantTokens = [token, altered(token)]
    // Of no use even to a caller who may do everything.
    expect(await encrypt(admin, tokenKey, {}, { GrantTokens })).toBe('InvalidGrantTokenException')
    expect(await refusal(admin.retireGrant({ GrantToken: GrantTokens[1] }))).toBe('InvalidGrantTokenException')
    expect(await encrypt(admin, tokenKey, {}, { GrantTokens: Array(10).fill(token) })).toBe(allowed)
  })

  it('is not tried by the HSM for a caller who is not allowed, and no other after a forged one', async () => {
    const KeyId = await createKey()
    const { token } = await grant(KeyId, users.alice.arn, ['DescribeKey'])
    const forged = Array.from({ length: 10 }, (_, i) => {
      const blob = Buffer.from(token, 'base64url')
      blob[blob.length - 1 - i]! ^= 1
      return blob.toString('base64url')
    })
    const describe = (by: Identity, GrantTokens: string[]) => refusal(as(by).describeKey({ KeyId, GrantTokens }))
    // The HSM decrypts the secret of an access key on its first use.
    for (const by of [users.alice, users.bob, users.carol]) await describe(by, [])
    const before = await decryptions()
    expect(await describe(users.bob, forged)).toEqual(denied)
    expect(await describe(users.carol, forged)).toEqual(denied)
    expect(await decryptions()).toBe(before)
    expect(await describe(users.alice, forged)).toBe('InvalidGrantTokenException')
    expect(await decryptions()).toBe(before + 1)
  })
  async function decryptions(): Promise<number> {
    const { body } = await send(`${gateway.metricsUrl}/metrics`, {})
    const lines = body.split('\n').filter(line => /^strongroom_hsm_calls_total\{.*operation="decrypt"/.test(line))
    return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
  }

  let tokenKey: string | undefined
  let ciphertext: string
})

describe('a grantee who may create grants', () => {
  const narrow = { EncryptionContextSubset: { a: '1' } }

  it('only by a grant passes on that grant or a part of it, along a chain', async () => {
    const KeyId = await createKey()
    const [alice, bob, carol] = [users.alice, users.bob, users.carol]
    await grant(KeyId, alice.arn, ['CreateGrant', 'Encrypt', 'Decrypt'], { Constraints: narrow })
    const pass = (by: Identity, to: Identity, operations: GrantOperation[], Constraints?: object) =>
      refusal(grant(KeyId, to.arn, operations, { Constraints }, as(by)))
    expect(await pass(alice, bob, ['Encrypt'])).toEqual(denied)
    expect(await pass(alice, bob, ['Encrypt'], {})).toEqual(denied)
    expect(await pass(alice, bob, ['Encrypt'], { EncryptionContextSubset: { a: '2' } })).toEqual(denied)
    expect(await pass(alice, bob, ['Encrypt'], { EncryptionContextSubset: { b: '1' } })).toEqual(denied)
    expect(await pass(alice, bob, ['Encrypt', 'GenerateDataKey'], narrow)).toEqual(denied)
    expect(await pass(alice, bob, ['Encrypt', 'DescribeKey'], narrow)).toEqual(denied)
    expect(await pass(bob, bob, ['Encrypt'], narrow)).toEqual(denied)
    const narrower = { EncryptionContextEquals: { a: '1', b: '2' } }
    expect(await pass(alice, bob, ['CreateGrant', 'Encrypt'], narrower)).toBe(allowed)
    const reasonsOf = () => (gateway.records().at(-1)!.additionalEventData!.strongroom as { reasons: string[] }).reasons
    expect(await pass(bob, carol, ['Encrypt'])).toEqual(denied)
    expect(reasonsOf().join()).toMatch(
      /Grant \w+ allows the action to the caller, but its constraints do not fit the request\./,
    )
    expect(await pass(bob, carol, ['Decrypt'], narrower)).toEqual(denied)
    expect(reasonsOf().join()).not.toMatch(/\bGrant \w+ allows/)
    // Bob has less than Alice, and so does whoever has it from him.
    expect(await pass(bob, carol, ['Encrypt'], narrow)).toEqual(denied)
    expect(await pass(bob, carol, ['Encrypt'], { EncryptionContextSubset: { a: '1', b: '2' } })).toEqual(denied)
    expect(await pass(bob, carol, ['Encrypt'], { EncryptionContextEquals: { a: '1', b: '2', c: '3' } })).toEqual(denied)
    expect(await pass(bob, carol, ['Decrypt'], narrower)).toEqual(denied)
    expect(await pass(bob, alice, ['CreateGrant', 'Encrypt', 'Decrypt'], narrow)).toEqual(denied)
    expect(await pass(bob, carol, ['Encrypt'], narrower)).toBe(allowed)
    expect(await pass(carol, carol, ['Encrypt'], narrower)).toEqual(denied)
    expect(await encrypt(as(carol), KeyId, { a: '1', b: '2' })).toBe(allowed)
    expect(await encrypt(as(carol), KeyId, { a: '1' })).toEqual(denied)
    expect((await listed(KeyId, { GranteePrincipal: carol.arn })).map(({ IssuingAccount }) => IssuingAccount)).toEqual([
      `arn:aws:iam::${home}:root`,
    ])
  })

  it('by two grants does not pass on what neither of them allows', async () => {
    const KeyId = await createKey()
    await grant(KeyId, users.alice.arn, ['CreateGrant', 'Encrypt'])
    await grant(KeyId, users.alice.arn, ['CreateGrant', 'Decrypt'], { Constraints: narrow })
    const pass = (operations: GrantOperation[], Constraints?: object) =>
      refusal(grant(KeyId, users.bob.arn, operations, { Constraints }, as(users.alice)))
    expect(await pass(['Encrypt', 'Decrypt'], narrow)).toEqual(denied)
    expect(await pass(['Decrypt'])).toEqual(denied)
    expect(await pass(['Encrypt'])).toBe(allowed)
    expect(await pass(['Decrypt'], narrow)).toBe(allowed)
  })

  it('by a policy passes on anything, even what the policy does not allow', async () => {
    const statement = (Action: string, AWS: string) => ({ Effect: 'Allow', Principal: { AWS }, Action, Resource: '*' })
    const policy = policyOf(
      statement('kms:*', `arn:aws:iam::${home}:root`),
      statement('kms:CreateGrant', users.alice.arn),
    )
    const KeyId = await createKey({ Policy: JSON.stringify(policy) })
    expect(await encrypt(as(users.alice), KeyId)).toEqual(denied)
    expect(await refusal(grant(KeyId, users.bob.arn, ['Encrypt'], {}, as(users.alice)))).toBe(allowed)
    expect(await encrypt(as(users.bob), KeyId)).toBe(allowed)
  })
})

describe('CreateGrant', () => {
  const noService = (member: string) => `ValidationException: ${member} can be used by AWS service principals only.`
  const notValid = (arn: string) => `InvalidArnException: ARN does not refer to a valid principal: ${arn}`
  const GranteePrincipal = `arn:aws:iam::${home}:role/service/backup`
  const Operations = ['Encrypt'] as const
  const pairs = Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`k${n}`, '']))

  it.each<[string, object]>([
    ['ValidationException: Grants must not contain only the CreateGrant operation.', { Operations: ['CreateGrant'] }],
    ['ValidationException: Operations must not be empty.', { Operations: [] }],
    [
      'ValidationException: Grants on a KMS key with key spec SYMMETRIC_DEFAULT and key usage ENCRYPT_DECRYPT cannot include these operations: Sign.',
      { Operations: ['Encrypt', 'Sign'] },
    ],
    [
      'ValidationException: EncryptionContextEquals can have 8 encryption context pairs at most.',
      { Constraints: { EncryptionContextEquals: pairs } },
    ],
    [
      'ValidationException: A value of EncryptionContextSubset can have 384 characters at most.',
      { Constraints: { EncryptionContextSubset: { k: 'v'.repeat(385) } } },
    ],
    [
      'ValidationException: You must specify either GranteePrincipal or GranteeServicePrincipal, but not both.',
      { GranteePrincipal: undefined },
    ],
    [noService('GranteeServicePrincipal'), { GranteeServicePrincipal: 'ec2.amazonaws.com' }],
    [noService('RetiringServicePrincipal'), { RetiringServicePrincipal: 'ec2.amazonaws.com' }],
    [
      'ValidationException: Constraints.SourceArn can be used with GranteeServicePrincipal only.',
      { Constraints: { SourceArn: `arn:aws:s3:us-east-1:${home}:bucket` } },
    ],
    ...[
      `arn:aws:iam::${home}:role/unknown`,
      `arn:aws:iam::${home}:role/backup`,
      `arn:aws:sts::${home}:assumed-role/unknown/session`,
      `arn:aws:iam::${home}:group/developers`,
      `arn:aws-cn:iam::${home}:root`,
      `arn:aws:iam::${home}:ROOT`,
      home,
      'ec2.amazonaws.com',
    ].flatMap((arn): [string, object][] => [
      [notValid(arn), { GranteePrincipal: arn }],
      [notValid(arn), { RetiringPrincipal: arn }],
    ]),
  ])('answers %s', async (error, rest) => {
    checkedKey ??= await createKey()
    const input = { KeyId: checkedKey, GranteePrincipal, Operations, ...rest }
    // A dry run promises nothing that the call would not keep.
    for (const DryRun of [false, true])
      expect(await refusal(call(admin, 'CreateGrant', { ...input, DryRun }))).toBe(error)
    expect(await refusal(call(as(users.bob), 'CreateGrant', input))).toEqual(denied)
    expect(await listed(checkedKey)).toEqual([])
  })
  let checkedKey: string | undefined

  it('accepts principals of accounts that have none here, federated users and accounts', async () => {
    const KeyId = await createKey()
    for (const arn of [
      'arn:aws:iam::777788889999:role/path/anybody',
      'arn:aws:sts::777788889999:assumed-role/anybody/session',
      `arn:aws:sts::${home}:federated-user/somebody`,
      'arn:aws:iam::777788889999:root',
    ]) {
      await grant(KeyId, arn, ['Encrypt'], { RetiringPrincipal: arn })
      expect((await listed(KeyId, { GranteePrincipal: arn }))[0]).toMatchObject({ RetiringPrincipal: arn })
    }
  })

  it('needs a key that is enabled; ending a grant does not', async () => {
    const KeyId = await createKey()
    const made = [await grant(KeyId, users.alice.arn, ['Encrypt']), await grant(KeyId, users.alice.arn, ['Encrypt'])]
    await admin.disableKey({ KeyId })
    expect(await refusal(grant(KeyId, users.alice.arn, ['Encrypt']))).toBe(`DisabledException: ${KeyId} is disabled.`)
    await admin.revokeGrant({ KeyId, GrantId: made[0]!.id })
    await admin.scheduleKeyDeletion({ KeyId })
    expect(await refusal(grant(KeyId, users.alice.arn, ['Encrypt']))).toBe(
      `KMSInvalidStateException: ${KeyId} is pending deletion.`,
    )
    await admin.retireGrant({ KeyId, GrantId: made[1]!.id })
    expect(await listed(KeyId)).toEqual([])
  })

  it('is not for aliases, and tells other accounts nothing about a key', async () => {
    const KeyId = await createKey()
    await admin.createAlias({ AliasName: 'alias/granted', TargetKeyId: KeyId })
    const aliases = 'InvalidArnException: Key Aliases are not supported for this operation.'
    expect(await refusal(grant('alias/granted', users.alice.arn, ['Encrypt']))).toBe(aliases)
    const missing = KeyId.replace(/.{4}$/, '0000')
    const [found, unknown] = await Promise.all(
      [KeyId, missing].map(key => refusal(grant(key, users.alice.arn, ['Sign'], {}, stranger))),
    )
    expect(found!.replace(KeyId, '')).toBe(unknown!.replace(missing, ''))
    expect(found).toEqual(denied)
  })
})

describe('RetireGrant', () => {
  let KeyId: string
  beforeAll(async () => {
    KeyId = await createKey()
  })

  it.each<[string, () => Identity, () => Rest & { Operations?: GrantOperation[]; grantee?: string }]>([
    [
      'the retiring principal, of another account',
      () => users.retirer,
      () => ({ RetiringPrincipal: users.retirer.arn }),
    ],
    ['a session of the retiring role', () => sessions[1], () => ({ RetiringPrincipal: role.arn })],
    [
      'the grantee, if the grant includes RetireGrant',
      () => users.alice,
      () => ({ Operations: ['Encrypt', 'RetireGrant'] }),
    ],
    [
      'the grantee of a grant with constraints, which do not apply to it',
      () => users.alice,
      () => ({ Operations: ['Encrypt', 'RetireGrant'], Constraints: { EncryptionContextEquals: { a: '1' } } }),
    ],
    ['whom the policies of the account that created it allow', () => users.delegated, () => ({})],
  ])('is for %s, by token or by id', async (_, who, rest) => {
    const { Operations = ['Encrypt'], ...others } = rest()
    const [one, two] = [
      await grant(KeyId, users.alice.arn, Operations, others),
      await grant(KeyId, users.alice.arn, Operations, others),
    ]
    expect(await refusal(as(who()).retireGrant({ GrantToken: one.token, DryRun: true }))).toBe(dryRun)
    expect(await listed(KeyId, { GrantId: one.id })).toHaveLength(1)
    await as(who()).retireGrant({ GrantToken: one.token })
    await as(who()).retireGrant({ KeyId, GrantId: two.id })
    for (const { id } of [one, two]) expect(await listed(KeyId, { GrantId: id })).toEqual([])
  })

  it('is not for a grantee without RetireGrant, for another principal, nor whom the key policy allows', async () => {
    const statement = (Action: string, AWS: string) => ({ Effect: 'Allow', Principal: { AWS }, Action, Resource: '*' })
    const policy = policyOf(
      statement('kms:*', `arn:aws:iam::${home}:root`),
      statement('kms:RetireGrant', users.bob.arn),
      statement('kms:*', `arn:aws:iam::${other}:root`),
    )
    const key = await createKey({ Policy: JSON.stringify(policy) })
    const { id, token } = await grant(key, users.alice.arn, ['Encrypt'], { RetiringPrincipal: users.retirer.arn })
    for (const client of [users.alice, users.bob, users.carol, sessions[0]].map(as).concat(stranger)) {
      expect(await refusal(client.retireGrant({ KeyId: key, GrantId: id }))).toEqual(denied)
      expect(await refusal(client.retireGrant({ GrantToken: token, DryRun: true }))).toEqual(denied)
    }
    expect(await listed(key)).toHaveLength(1)
  })

  it('is for the accounts of the key and of the creator, whose policies decide', async () => {
    const statement = (AWS: string) => ({ Effect: 'Allow', Principal: { AWS }, Action: 'kms:*', Resource: '*' })
    const policy = policyOf(...[home, other].map(account => statement(`arn:aws:iam::${account}:root`)))
    const key = await createKey({ Policy: JSON.stringify(policy) })
    const made = await Promise.all([1, 2, 3].map(() => grant(key, users.alice.arn, ['Encrypt'], {}, stranger)))
    expect((await listed(key)).map(({ IssuingAccount }) => IssuingAccount)).toEqual(
      Array(3).fill(`arn:aws:iam::${other}:root`),
    )
    expect(await refusal(as(users.bob).retireGrant({ KeyId: key, GrantId: made[0]!.id }))).toEqual(denied)
    expect(await refusal(as(users.carol).retireGrant({ KeyId: key, GrantId: made[0]!.id }))).toEqual(denied)
    await stranger.retireGrant({ KeyId: key, GrantId: made[0]!.id })
    await admin.retireGrant({ GrantToken: made[1]!.token })
    expect(await listed(key)).toHaveLength(1)
  })

  it('tells other accounts nothing about keys and grants', async () => {
    const { id } = await grant(KeyId, users.alice.arn, ['Encrypt'])
    const missing = KeyId.replace(/.{4}$/, '0000')
    const texts = [
      [KeyId, id],
      [KeyId, unknownId],
      [missing, id],
    ] as const
    const refusals = texts.map(async ([key, GrantId]) => {
      return (await refusal(stranger.retireGrant({ KeyId: key, GrantId }))).replaceAll(key, 'KEY')
    })
    expect(new Set(await Promise.all(refusals)).size).toBe(1)
  })

  it('is denied by an identity-based policy', async () => {
    const rest = { RetiringPrincipal: users.denied.arn }
    const { token } = await grant(KeyId, users.denied.arn, ['Encrypt', 'RetireGrant'], rest)
    expect(await refusal(as(users.denied).retireGrant({ GrantToken: token }))).toMatch(
      /explicit deny in an identity-based policy$/,
    )
  })

  it('needs a token, or a key and an id', async () => {
    const { id, token } = await grant(KeyId, users.alice.arn, ['Encrypt'])
    const text = 'ValidationException: You must specify either GrantToken, or both KeyId and GrantId.'
    for (const input of [{}, { KeyId }, { GrantId: id }, { GrantToken: token, KeyId, GrantId: id }]) {
      expect(await refusal(admin.retireGrant(input))).toBe(text)
    }
  })

  it('and RevokeGrant tell of grants that do not exist, but not those who may not end them', async () => {
    const { id, token } = await grant(KeyId, users.alice.arn, ['Encrypt'])
    await admin.revokeGrant({ KeyId, GrantId: id })
    for (const GrantId of [id, unknownId]) {
      const gone = `NotFoundException: Grant '${GrantId}' does not exist`
      expect(await refusal(admin.revokeGrant({ KeyId, GrantId }))).toBe(gone)
      expect(await refusal(admin.retireGrant({ KeyId, GrantId }))).toBe(gone)
      for (const client of [as(users.bob), stranger]) {
        expect(await refusal(client.revokeGrant({ KeyId, GrantId }))).toEqual(denied)
        expect(await refusal(client.retireGrant({ KeyId, GrantId }))).toEqual(denied)
      }
    }
    expect(await refusal(admin.retireGrant({ GrantToken: token }))).toMatch(/^NotFoundException: Grant /)
    for (const GrantId of ['x', 'A'.repeat(64), `${unknownId}0`]) {
      const text = `InvalidGrantIdException: Invalid grant id '${GrantId}'`
      expect(await refusal(admin.revokeGrant({ KeyId, GrantId }))).toBe(text)
      expect(await refusal(admin.retireGrant({ KeyId, GrantId }))).toBe(text)
      expect(await refusal(admin.listGrants({ KeyId, GrantId }))).toBe(text)
    }
  })
})

describe('listings', () => {
  it('page through the grants of a key, of one grantee, in a stable order', async () => {
    const KeyId = await createKey()
    const made = await Promise.all(
      [users.alice, users.bob, users.alice, users.bob, users.alice].map(({ arn }) => grant(KeyId, arn, ['Encrypt'])),
    )
    const pages = async (filter: object) => {
      const ids: string[][] = []
      for (let Marker: string | undefined; ids.length === 0 || Marker !== undefined; ) {
        const { Grants, NextMarker, Truncated } = await admin.listGrants({ KeyId, Limit: 2, Marker, ...filter })
        ids.push(Grants!.map(({ GrantId }) => GrantId!))
        expect(Truncated).toBe(NextMarker !== undefined)
        Marker = NextMarker
      }
      return ids
    }
    const all = await pages({})
    expect(all.map(page => page.length)).toEqual([2, 2, 1])
    expect(all.flat().toSorted()).toEqual(made.map(({ id }) => id).toSorted())
    expect(await pages({})).toEqual(all)
    const ofAlice = await pages({ GranteePrincipal: users.alice.arn })
    expect(ofAlice.flat()).toEqual(all.flat().filter(id => [0, 2, 4].some(i => made[i]!.id === id)))
  })

  it('show a principal the grants that it may retire, of keys of any account', async () => {
    const retirer = users.retirer.arn
    const KeyId = await createKey()
    const { Arn } = (await stranger.createKey({})).KeyMetadata!
    const made = [
      await grant(KeyId, users.alice.arn, ['Encrypt'], { RetiringPrincipal: retirer }),
      await grant(Arn!, users.alice.arn, ['Encrypt'], { RetiringPrincipal: retirer }, stranger),
    ]
    await grant(KeyId, retirer, ['Encrypt', 'RetireGrant'], { RetiringPrincipal: users.carol.arn })
    const { Grants } = await stranger.listRetirableGrants({ RetiringPrincipal: retirer })
    const found = Grants!.filter(({ KeyId: key }) => [KeyId, Arn].includes(key!))
    expect(new Set(found.map(({ GrantId }) => GrantId))).toEqual(new Set(made.map(({ id }) => id)))
    expect(await refusal(admin.listRetirableGrants({ RetiringPrincipal: retirer }))).toEqual(denied)
  })
})

describe('a dry run', () => {
  it('ends every operation that has one before anything is done', async () => {
    const [KeyId, rsa, hmac, agreement] = await Promise.all([
      createKey(),
      createKey({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' }),
      createKey({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' }),
      createKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' }),
    ])
    const { CiphertextBlob } = await admin.encrypt({ KeyId, Plaintext })
    const { PublicKey } = await admin.getPublicKey({ KeyId: agreement })
    const { id: GrantId } = await grant(KeyId!, users.alice.arn, ['Encrypt'])
    const signing = { KeyId: rsa, Message: Plaintext, SigningAlgorithm: 'RSASSA_PSS_SHA_256' }
    const mac = { KeyId: hmac, Message: Plaintext, MacAlgorithm: 'HMAC_SHA_256' }
    const ignored = { DryRunModifiers: ['IGNORE_CIPHERTEXT'] }
    const inputs: Partial<Record<OperationName, object[]>> = {
      CreateGrant: [{ KeyId, GranteePrincipal: users.bob.arn, Operations: ['Encrypt'], Name: 'dry' }],
      RetireGrant: [{ KeyId, GrantId }],
      RevokeGrant: [{ KeyId, GrantId }],
      Encrypt: [{ KeyId, Plaintext }],
      Decrypt: [{ CiphertextBlob }, { KeyId, ...ignored }],
      ReEncrypt: [
        { CiphertextBlob, DestinationKeyId: KeyId },
        { SourceKeyId: KeyId, DestinationKeyId: KeyId, ...ignored },
      ],
      GenerateDataKey: [{ KeyId, KeySpec: 'AES_256' }],
      GenerateDataKeyWithoutPlaintext: [{ KeyId, KeySpec: 'AES_256' }],
      GenerateDataKeyPair: [{ KeyId, KeyPairSpec: 'ECC_NIST_P256' }],
      GenerateDataKeyPairWithoutPlaintext: [{ KeyId, KeyPairSpec: 'ECC_NIST_P256' }],
      Sign: [signing],
      Verify: [{ ...signing, Signature: Buffer.alloc(256) }],
      GenerateMac: [mac],
      VerifyMac: [{ ...mac, Mac: Buffer.alloc(32) }],
      DeriveSharedSecret: [{ KeyId: agreement, KeyAgreementAlgorithm: 'ECDH', PublicKey }],
    }
    const withDryRun = Object.entries(model.operations)
      .filter(([, { input }]) => input && 'DryRun' in (model.shapes as Shapes)[input]!.members)
      .map(([name]) => name)
    // pkcs11js has no functions for these.
    expect(Object.keys(inputs).toSorted()).toEqual(withDryRun.filter(name => !/capsulate$/.test(name)).toSorted())
    const unnamed = call(admin, 'ReEncrypt', { DestinationKeyId: KeyId, ...ignored, DryRun: true })
    expect(await refusal(unnamed)).toBe('ValidationException: SourceKeyId is required when the ciphertext is ignored.')
    for (const [name, each] of Object.entries(inputs)) {
      for (const input of each) {
        expect(await refusal(call(admin, name as OperationName, { ...input, DryRun: true })), name).toBe(dryRun)
        expect(await refusal(call(as(users.bob), name as OperationName, { ...input, DryRun: true })), name).toEqual(
          denied,
        )
      }
    }
    expect((await listed(KeyId!)).map(entry => entry.GrantId)).toEqual([GrantId])
  })
  type Shapes = Record<string, { readonly members: object }>
})

describe('the audit record', () => {
  it('of each operation has the id of the grant, and no token', async () => {
    const KeyId = await createKey()
    const last = (operation: string) => gateway.records().findLast(({ eventName }) => eventName === operation)!
    const Constraints = { EncryptionContextSubset: { App: '1' } }
    const { id, token } = await grant(KeyId, users.alice.arn, ['Encrypt'], { Name: 'n', Constraints })
    expect(last('CreateGrant')).toMatchObject({
      readOnly: false,
      requestParameters: {
        keyId: KeyId,
        granteePrincipal: users.alice.arn,
        operations: ['Encrypt'],
        constraints: { encryptionContextSubset: { App: '1' } },
        name: 'n',
      },
      responseElements: { grantId: id, keyId: KeyId },
      resources: [{ ARN: KeyId }],
    })
    expect(await encrypt(as(users.alice), KeyId, { App: '1' }, { GrantTokens: [token] })).toBe(allowed)
    for (const GrantTokens of [Array(11).fill(token), [token, ''], [token, 'x'.repeat(8193)]]) {
      expect(await encrypt(admin, KeyId, {}, { GrantTokens })).toMatch(/^ValidationException: .*at 'grantTokens'/)
    }
    expect(await refusal(admin.retireGrant({ GrantToken: token + 'x'.repeat(8192) }))).toMatch(/at 'grantToken'/)
    expect(await refusal(as(users.bob).retireGrant({ GrantToken: token }))).toEqual(denied)
    await admin.retireGrant({ GrantToken: token })
    expect(last('RetireGrant')).toMatchObject({
      requestParameters: null,
      additionalEventData: { grantId: id },
      responseElements: { keyId: KeyId },
      resources: [{ ARN: KeyId }],
    })
    const second = await grant(KeyId, users.alice.arn, ['Encrypt'])
    await admin.revokeGrant({ KeyId, GrantId: second.id })
    expect(last('RevokeGrant').requestParameters).toEqual({ keyId: KeyId, grantId: second.id })
    const text = JSON.stringify(gateway.records()) + gateway.warnings().join()
    for (const secret of [token, second.token]) expect(text).not.toContain(secret.slice(60, 100))
  })
})

describe('a principal created again under the same name', () => {
  it('has none of the grants of the former one, which survive restarts', async () => {
    const KeyId = await createKey()
    const rest = { RetiringPrincipal: users.bob.arn, Name: 'same' }
    const { id } = await grant(KeyId, users.bob.arn, ['Encrypt', 'RetireGrant'], rest)
    await grant(KeyId, users.alice.arn, ['Encrypt'])
    await gateway.stop()
    await withIdentities(installation, async identities => {
      await identities.remove(users.bob)
      users.bob = await identities.user(home, 'bob')
    })
    gateway = await serve(installation)
    admin = gateway.client()
    expect(await encrypt(as(users.alice), KeyId)).toBe(allowed)
    expect(await encrypt(as(users.bob), KeyId)).toEqual(denied)
    expect(await refusal(as(users.bob).retireGrant({ KeyId, GrantId: id }))).toEqual(denied)
    expect((await admin.listRetirableGrants({ RetiringPrincipal: users.bob.arn })).Grants).toEqual([])
    expect((await listed(KeyId, { GrantId: id }))[0]).toMatchObject({ GranteePrincipal: users.bob.arn })
    const again = await grant(KeyId, users.bob.arn, ['Encrypt', 'RetireGrant'], rest)
    expect(again.id).not.toBe(id)
    expect(await encrypt(as(users.bob), KeyId)).toBe(allowed)
    expect((await grant(KeyId, users.bob.arn, ['Encrypt', 'RetireGrant'], rest)).id).toBe(again.id)
    await gateway.kill()
    gateway = await serve(installation)
    admin = gateway.client()
    expect(gateway.complaints()).toEqual([])
    expect((await grant(KeyId, users.bob.arn, ['Encrypt', 'RetireGrant'], rest)).id).toBe(again.id)
  })
})
