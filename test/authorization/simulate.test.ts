import { describe, expect, it } from 'vitest'
import { SimulationError, simulate } from '../../src/authorization/simulate.ts'

const account = '111122223333'
const alice = `arn:aws:iam::${account}:user/alice`
const key = `arn:aws:kms:eu-west-1:${account}:key/1234abcd-12ab-34cd-56ef-1234567890ab`
const request = { principal: alice, action: 'kms:Decrypt', resource: key }
const statement = { Effect: 'Allow', Action: 'kms:*', Resource: '*' }
const policy = (change: object = {}) => ({ Version: '2012-10-17', Statement: [{ ...statement, ...change }] })
const named = (AWS: string, change: object = {}) => policy({ Principal: { AWS }, ...change })
const decisionOf = (question: object) => simulate(JSON.stringify(question)).decision

describe('simulate', () => {
  it('decides a request, with reasons', () => {
    const question = { request, resourcePolicy: named(account), identityPolicies: [policy()] }
    expect(simulate(JSON.stringify(question))).toEqual({
      decision: 'Allow',
      reasons: [
        expect.objectContaining({ policy: 'resource', statement: { position: 1, effect: 'Allow' } }),
        expect.objectContaining({ policy: 'identity', index: 0, statement: { position: 1, effect: 'Allow' } }),
      ],
    })
  })

  // biome-ignore format: a table
  it.each<[string, object, string]>([
    ['an identity policy alone is never enough for a KMS key',  { request, identityPolicies: [policy()] },                                             'ImplicitDeny'],
    ['but decides on what has no policy',                       { request: { ...request, resource: '*' }, identityPolicies: [policy()] },              'Allow'],
    ['and on an alias',                                         { request: { ...request, resource: key.replace('key/', 'alias/') }, identityPolicies: [policy()] }, 'Allow'],
    ['a resource without an account is the caller\'s',          { request: { ...request, resource: 'arn:aws:s3:::bucket' }, identityPolicies: [policy()] }, 'Allow'],
    ['a resource of another account is not',                    { request: { ...request, resource: key.replace(account, '444455556666').replace('key/', 'alias/') }, identityPolicies: [policy()] }, 'ImplicitDeny'],
    ['a policy may be text',                                    { request, resourcePolicy: JSON.stringify(named(alice)) },                             'Allow'],
    ['null is absent',                                          { request: { ...request, context: null }, resourcePolicy: named(alice), identityPolicies: null, permissionsBoundary: null, sessionPolicy: null }, 'Allow'],
    ['null is an absent key policy',                            { request, resourcePolicy: null, identityPolicies: [policy()] },                       'ImplicitDeny'],
    ['a session is its role',                                   { request: { ...request, principal: `arn:aws:sts::${account}:assumed-role/app/s` }, resourcePolicy: named(`arn:aws:iam::${account}:role/app`) }, 'Allow'],
    ['aws:PrincipalArn tells the path of the role',             { request: { ...request, principal: `arn:aws:sts::${account}:assumed-role/app/s`, context: { 'aws:PrincipalArn': [`arn:aws:iam::${account}:role/path/app`] } }, resourcePolicy: named(`arn:aws:iam::${account}:role/path/app`) }, 'Allow'],
    ['but not another role',                                    { request: { ...request, principal: `arn:aws:sts::${account}:assumed-role/app/s`, context: { 'aws:PrincipalArn': [`arn:aws:iam::${account}:role/path/admin`] } }, resourcePolicy: named(`arn:aws:iam::${account}:role/path/admin`) }, 'ImplicitDeny'],
    ['a role is a session without a name',                      { request: { ...request, principal: `arn:aws:iam::${account}:role/path/app` }, resourcePolicy: named(`arn:aws:iam::${account}:role/path/app`), sessionPolicy: policy({ Action: 'kms:Sign' }) }, 'ImplicitDeny'],
    ['the names of condition keys are case-insensitive',        { request: { ...request, context: { 'KMS:viaservice': ['a'] } }, resourcePolicy: named(alice, { Condition: { StringEquals: { 'kms:ViaService': 'a' } } }) }, 'Allow'],
    ['a value need be no list, and no string',                  { request: { ...request, context: { a: true, b: 5 } }, resourcePolicy: named(alice, { Condition: { Bool: { a: 'true' }, NumericEquals: { b: '5' } } }) }, 'Allow'],
    ['no key but those of the context is there',                { request, resourcePolicy: named(alice, { Condition: { Null: { 'aws:PrincipalArn': 'true' } } }) }, 'Allow'],
  ])('%s', (_, question, decision) => {
    expect(decisionOf(question)).toBe(decision)
  })

  it('keeps the digits of a number in a policy, which JSON.parse would round', () => {
    const asked = (text: string) =>
      simulate(
        `{"request":${JSON.stringify({ ...request, context: { a: '12345678901234567890' } })},"resourcePolicy":${JSON.stringify(named(alice, { Condition: { StringEquals: { a: 'N' } } })).replace('"N"', text)}}`,
      ).decision
    expect(asked('12345678901234567890')).toBe('Allow')
    expect(asked('12345678901234567891')).toBe('ImplicitDeny')
  })

  // biome-ignore format: a table
  it.each<[string, string | object]>([
    ['not valid JSON',                                   'x'],
    ['not valid JSON',                                   ''],
    ['not valid JSON: repeats the member request',       `{"request":${JSON.stringify(request)},"request":{}}`],
    ['not valid JSON: repeats the member Effect',        JSON.stringify({ request, resourcePolicy: named(alice) }).replace('"Effect"', '"Effect":"Deny","Effect"')],
    ['not valid JSON: nested deeper than 16',            '['.repeat(100_000)],
    ['the line must be a JSON object',                   '[]'],
    ['the line must be a JSON object',                   '1'],
    ['the line must be a JSON object',                   'null'],
    ['request is missing',                               {}],
    ['request must be a JSON object',                    { request: 'x' }],
    ['resourcepolicy is unknown',                        { request, resourcepolicy: {} }],
    ['request.Action is unknown',                        { request: { ...request, Action: 'x' } }],
    ['request.principal is missing',                     { request: { action: 'kms:Decrypt', resource: key } }],
    ['request.principal must be a non-empty string',     { request: { ...request, principal: 5 } }],
    ['request.principal must be the ARN of a user, role',{ request: { ...request, principal: '*' } }],
    ['request.principal must be the ARN of a user, role', { request: { ...request, principal: account } }],
    ['request.principal must be the ARN of a user, role', { request: { ...request, principal: `arn:aws:iam::${account}:group/all` } }],
    ['request.principal must be the ARN of a user, role', { request: { ...request, principal: 'arn:aws:iam::*:user/alice' } }],
    ['request.principal must be the ARN of a user, role', { request: { ...request, principal: `arn:aws:sts::${account}:assumed-role/app` } }],
    ['request.principal must be the ARN of a user, role', { request: { ...request, principal: `arn:aws:iam::${account}:user/*` } }],
    ['request.principal must be the ARN of a user, role', { request: { ...request, principal: `arn:aws:iam::${account}:role/?pp` } }],
    ['request.action is missing',                        { request: { principal: alice, resource: key } }],
    ['request.action must be one action',                { request: { ...request, action: 'Decrypt' } }],
    ['request.action must be one action',                { request: { ...request, action: 'kms:*' } }],
    ['request.resource is missing',                      { request: { principal: alice, action: 'kms:Decrypt' } }],
    ['request.resource must be an ARN or *',             { request: { ...request, resource: '1234' } }],
    ['request.resource must be an ARN or *',             { request: { ...request, resource: 'alias/app' } }],
    ['request.resource must be an ARN or *',             { request: { ...request, resource: key.replace(account, '11112222') } }],
    ['request.resource must be an ARN or *',             { request: { ...request, resource: 'arn:aws:kms:eu-west-1:key/1234' } }],
    ['request.context must be a JSON object',            { request: { ...request, context: ['a'] } }],
    ['request.context["a"] must be a list of strings',   { request: { ...request, context: { a: [null] } } }],
    ['request.context["a"] must be a list of strings',   { request: { ...request, context: { a: { b: 'c' } } } }],
    ['request.context repeats the key AWS:a',            { request: { ...request, context: { 'aws:a': ['1'], 'AWS:a': ['2'] } } }],
    ['resourcePolicy: This policy contains invalid Json', { request, resourcePolicy: '{' }],
    ['resourcePolicy: Policy contains a statement with no principal.', { request, resourcePolicy: policy() }],
    ['resourcePolicy must be a JSON object',             { request, resourcePolicy: [] }],
    ['resourcePolicy must be a JSON object',             { request, resourcePolicy: 1 }],
    ['identityPolicies must be a list of policies',      { request, identityPolicies: policy() }],
    ['identityPolicies[1]: Policy document should not specify a principal.', { request, identityPolicies: [policy(), named(alice)] }],
    ['identityPolicies[0]: Policy statement must contain actions.', { request, identityPolicies: [policy({ Action: undefined })] }],
    ['identityPolicies[0]: Policy statement must contain resources.', { request, identityPolicies: [policy({ Resource: undefined })] }],
    ['permissionsBoundary: The policy must contain a valid version string', { request, permissionsBoundary: { ...policy(), Version: '1' } }],
    ['sessionPolicy: Invalid effect: allow',             { request, sessionPolicy: policy({ Effect: 'allow' }) }],
  ])('refuses with "%s": %j', (message, question) => {
    const line = typeof question === 'string' ? question : JSON.stringify(question)
    expect(() => simulate(line)).toThrow(SimulationError)
    expect(() => simulate(line)).toThrow(message)
  })

  it('decides by policies of a whole MiB', () => {
    const conditions = [
      { NumericLessThan: { a: Array(150_000).fill('1') } },
      { 'ForAnyValue:DateGreaterThan': { a: Array(150_000).fill('3') } },
      { StringLike: { a: '*?'.repeat(200_000) } },
      { ArnLike: { a: '*:'.repeat(200_000) } },
    ]
    for (const Condition of conditions) {
      const asked = { ...request, context: { a: ['2'] } }
      expect(decisionOf({ request: asked, resourcePolicy: named(alice, { Condition }) })).toBe('ImplicitDeny')
    }
  })
})
