import { describe, expect, it } from 'vitest'
import { decide } from '../src/authorization/decide.ts'
import { explain } from '../src/authorization/explain.ts'
import { AccessDenied } from '../src/errors.ts'
import type { Key } from '../src/model/keys/key.ts'
import { operations } from '../src/operations/kms/catalogue.ts'
import type { AnyOperation, Target } from '../src/operations/operation.ts'
import { type Call, checkPermissions } from '../src/permissions.ts'
import type { PathServices, Storage } from '../src/services.ts'
import { aUser } from './authorization/users.ts'
import { account, aKey, anAlias, region } from './storage/records.ts'

/** What a caller of another account can find out by refusals, given that it writes its own policies. */

const other = '444455556666'
const policyOf = (...statements: readonly object[]) => JSON.stringify({ Version: '2012-10-17', Statement: statements })
const shared = policyOf({
  Effect: 'Allow',
  Principal: { AWS: `arn:aws:iam::${account}:root` },
  Action: 'kms:Encrypt',
  Resource: '*',
})
const unshared = aKey(1, { account: other, tags: [{ TagKey: 'Project', TagValue: 'Secret' }] })
const missing = aKey(2, { account: other })
const sharedKey = aKey(3, { account: other, policy: shared })
const alias = anAlias('payroll', unshared)
const everything = { Effect: 'Allow', Action: '*', Resource: '*' }

/** The message of the refusal, with the identifier hidden; undefined if there is none. */
async function refusal(
  identities: readonly string[],
  KeyId: string,
  keys: readonly Key[],
  name = 'Encrypt',
  rest: object = {},
): Promise<string | undefined> {
  const storage = {
    keys: { find: (arn: string) => keys.find(key => key.arn === arn) },
    aliases: {
      find: (arn: string) => [alias].find(found => keys.includes(unshared) && found.arn === arn),
      ofKey: (arn: string) => [alias].filter(({ targetKeyArn }) => targetKeyArn === arn),
    },
    grants: { search: () => undefined } satisfies Partial<Storage['grants']>,
  } as unknown as Storage
  const caller = { ...aUser(`arn:aws:iam::${account}:user/alice`, identities), region }
  const input = { KeyId, Plaintext: new Uint8Array(1), EncryptionContext: { a: 'b' }, ...rest }
  const operation = operations.find(operation => operation.name === name) as AnyOperation
  const search = { caller, storage, operation: name, hsms: undefined as never }
  const target: Target = await operation.target.find(input, search)
  const entry = { sourceAddress: '192.0.2.1', userAgent: 'test', startedAt: 0 }
  const request = { headers: {}, secure: false }
  const call = { operation, caller, input, entry, request, api: { actionPrefix: 'kms:' } } as unknown as Call
  try {
    checkPermissions(target, call, { authorize: decide, explain } as unknown as PathServices)
    return undefined
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(AccessDenied)
    return (thrown as AccessDenied).message.replaceAll(KeyId, 'KEY')
  }
}

const denyIf = (Condition: object) => [policyOf(everything, { Effect: 'Deny', Action: '*', Resource: '*', Condition })]
const denyOn = (Resource: string) => [policyOf(everything, { Effect: 'Deny', Action: '*', Resource })]
const notShared =
  'because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access'

describe('a caller of another account', () => {
  it.each<readonly [string, readonly string[]]>([
    ['nothing', [policyOf(everything)]],
    ['that the key exists', denyIf({ Null: { 'kms:KeySpec': 'false' } })],
    ['that it does not', denyIf({ Null: { 'kms:KeyOrigin': 'true' } })],
    ['its spec', denyIf({ StringEquals: { 'kms:KeySpec': 'SYMMETRIC_DEFAULT' } })],
    ['its spec, by negation', denyIf({ StringNotEquals: { 'kms:KeySpec': 'SYMMETRIC_DEFAULT' } })],
    ['a tag', denyIf({ StringLike: { 'aws:ResourceTag/Project': '*' } })],
    ['an alias', denyIf({ 'ForAnyValue:StringLike': { 'kms:ResourceAliases': 'alias/pay*' } })],
    ['the account, which the identifier says', denyIf({ StringEquals: { 'aws:ResourceAccount': other } })],
    ['what its request says', denyIf({ StringEquals: { 'kms:EncryptionContext:a': 'b' } })],
    ['a variable', denyIf({ StringEquals: { 'kms:KeyUsage': `\${kms:KeyUsage}` } })],
    ['nothing, without permissions', []],
  ])('learns nothing of a key that is not shared by a policy on %s', async (_what, policies) => {
    const answers = [
      await refusal(policies, unshared.arn, [unshared]),
      await refusal(policies, missing.arn, [unshared]),
      await refusal(policies, unshared.arn, []),
    ]
    expect(new Set(answers).size, answers.join('\n')).toBe(1)
    expect(answers[0]).toMatch(/^User: .* is not authorized to perform: kms:Encrypt on resource: KEY /)
  })

  it.each([unshared.arn, 'arn:aws:kms:*:*:key/*'])(
    'learns nothing of the key of an alias by a policy on %s',
    async resource => {
      const answers = [
        await refusal(denyOn(resource), alias.arn, [unshared]),
        await refusal(denyOn(resource), alias.arn, []),
      ]
      expect(answers[0]).toBe(answers[1])
      expect(answers[0]).toContain(notShared)
    },
  )

  it('learns nothing of the key of an alias by re-encryption', async () => {
    const sameKey = denyIf({ Bool: { 'kms:ReEncryptOnSameKey': 'true' } })
    const reEncrypt = (keys: readonly Key[], SourceKeyId: string) => {
      const input = { SourceKeyId, DestinationKeyId: alias.arn, CiphertextBlob: new Uint8Array(1) }
      return refusal(sameKey, SourceKeyId, keys, 'ReEncrypt', input)
    }
    const answers = [
      await reEncrypt([unshared], unshared.arn),
      await reEncrypt([unshared], missing.arn),
      await reEncrypt([], unshared.arn),
    ]
    expect(new Set(answers).size, answers.join('\n')).toBe(1)
    // The same identifier is the same key, whether it exists or not.
    expect(await reEncrypt([unshared], alias.arn)).toContain('with an explicit deny in an identity-based policy')
    expect(await reEncrypt([], alias.arn)).toBe(await reEncrypt([unshared], alias.arn))
  })

  it('is told of a denial by its own policies that does not depend on the key', async () => {
    const denied = 'with an explicit deny in an identity-based policy'
    expect(await refusal(denyOn('*'), unshared.arn, [unshared])).toContain(denied)
    expect(await refusal(denyOn(unshared.arn), unshared.arn, [unshared])).toContain(denied)
  })

  it('is told why it may not use a key that is shared', async () => {
    const keys = [sharedKey]
    expect(await refusal([policyOf(everything)], sharedKey.arn, keys)).toBeUndefined()
    expect(await refusal([], sharedKey.arn, keys)).toContain(
      'because no identity-based policy allows the kms:Encrypt action',
    )
    const bySpec = denyIf({ StringEquals: { 'kms:KeySpec': 'SYMMETRIC_DEFAULT' } })
    expect(await refusal(bySpec, sharedKey.arn, keys)).toContain('with an explicit deny in an identity-based policy')
  })
})
