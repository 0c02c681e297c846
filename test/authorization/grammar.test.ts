import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compilePolicy } from '../../src/authorization/compile.ts'
import { parsePolicy } from '../../src/authorization/grammar.ts'

const malformed = expect.objectContaining({ code: 'MalformedPolicyDocument' })
const statement = { Effect: 'Allow', Principal: '*', Action: 'kms:*', Resource: '*' }
const text = (change: object, document: object = {}) =>
  JSON.stringify({ Version: '2012-10-17', ...document, Statement: [{ ...statement, ...change }] })
const parsed = (change: object) => parsePolicy(text(change), 'resource').statements[0]!

describe('the grammar of policies', () => {
  it('keeps the elements of each statement, their order and their Sids', () => {
    const { version, id, statements } = parsePolicy(
      JSON.stringify({
        Id: 'p',
        Statement: [
          { ...statement, Sid: 'One' },
          {
            Effect: 'Deny',
            NotPrincipal: { AWS: ['111122223333'], Service: 'ec2.amazonaws.com' },
            NotAction: ['kms:Encrypt', 'kms:Decrypt'],
            NotResource: 'a',
            Condition: { Bool: { 'aws:SecureTransport': false, x: ['true', true] }, NumericEquals: { n: 1 } },
          },
        ],
      }),
      'resource',
    )
    expect([version, id]).toEqual(['2008-10-17', 'p'])
    expect(statements).toEqual([
      {
        position: 1,
        sid: 'One',
        effect: 'Allow',
        principals: { negated: false, aws: ['*'], services: [], federated: [] },
        actions: { negated: false, values: ['kms:*'] },
        resources: { negated: false, values: ['*'] },
        conditions: [],
      },
      {
        position: 2,
        sid: undefined,
        effect: 'Deny',
        principals: { negated: true, aws: ['111122223333'], services: ['ec2.amazonaws.com'], federated: [] },
        actions: { negated: true, values: ['kms:Encrypt', 'kms:Decrypt'] },
        resources: { negated: true, values: ['a'] },
        conditions: [
          { operator: 'Bool', key: 'aws:SecureTransport', values: ['false'] },
          { operator: 'Bool', key: 'x', values: ['true', 'true'] },
          { operator: 'NumericEquals', key: 'n', values: ['1'] },
        ],
      },
    ])
  })

  it('keeps the digits of a number, since it stands for its text', () => {
    const written = ['12345678901234567890', '1.0', '1e3', '-0', '0.10']
    const conditions = written.map((number, index) => `"k${index}":${number}`).join()
    const document = text({ Condition: 0 }).replace('"Condition":0', `"Condition":{"StringEquals":{${conditions}}}`)
    expect(parsePolicy(document, 'resource').statements[0]!.conditions.map(({ values }) => values[0])).toEqual(written)
  })

  it.each([
    ['both Action and NotAction', text({ NotAction: 'kms:Encrypt' })],
    ['both Resource and NotResource', text({ NotResource: 'x' })],
    ['both Principal and NotPrincipal', text({ NotPrincipal: '*' })],
    ['an empty NotAction', text({ Action: undefined, NotAction: [] })],
    ['an empty NotResource', text({ Resource: undefined, NotResource: [] })],
    ['a Condition that is a list', text({ Condition: [] })],
    ['a Condition that is a number', text({ Condition: 1 })],
    ['an operator without keys', text({ Condition: { Bool: 'true' } })],
    ['a condition value that is null', text({ Condition: { Bool: { k: null } } })],
    ['a condition value that is an object', text({ Condition: { Bool: { k: {} } } })],
    ['a condition value in a list of a list', text({ Condition: { Bool: { k: [['true']] } } })],
    ['a condition key twice, in different case', text({ Condition: { Bool: { 'aws:k': 'true', 'AWS:K': 'false' } } })],
    ['an element in lower case', text({ condition: {} })],
    ['a statement that is a number', JSON.stringify({ Statement: [1] })],
    [
      'deep nesting',
      text({ Condition: 0 }).replace('"Condition":0', `"Condition":${'{"a":'.repeat(3000)}1${'}'.repeat(3000)}`),
    ],
  ])('refuses %s', (_title, document) => {
    expect(() => parsePolicy(document, 'resource')).toThrow(malformed)
  })

  // An object of each level, with one of its members written twice.
  it.each([
    ['the policy', '{', '{"Version":"2012-10-17",'],
    ['a statement', '"Effect"', '"Effect":"Deny","Effect"'],
    ['a statement, once escaped', '"Effect"', '"Eff\\u0065ct":"Deny","Effect"'],
    ['a principal', '"AWS"', '"AWS":"*","AWS"'],
    ['a condition', '"Bool"', '"Bool":{},"Bool"'],
    ['an operator', '"k"', '"k":"false","k"'],
    ['an operator, with white space before the colon', '"k"', '"k" \n\t:"false","k"'],
  ])('refuses a repeated member of %s', (_title, once, twice) => {
    const document = text({ Principal: { AWS: '*' }, Condition: { Bool: { k: 'true' } } })
    expect(() => parsePolicy(document, 'resource')).not.toThrow()
    expect(() => parsePolicy(document.replace(once, twice), 'resource')).toThrow(malformed)
  })

  it('takes what looks like a repeated member in a string as a string', () => {
    expect(parsed({ Sid: '"Effect":"Deny","Effect":' }).sid).toBe('"Effect":"Deny","Effect":')
    expect(parsed({ Sid: '\\' }).sid).toBe('\\')
    expect(parsed({ Sid: '{[{[{[{[{[{[{[{[{[{[{[{[' }).effect).toBe('Allow')
  })

  it('tells a policy of a resource from one of an identity, whichever was parsed before', () => {
    const texts = { resource: text({}), identity: text({ Principal: undefined }) }
    for (const kind of ['resource', 'identity', 'resource'] as const) {
      const another = kind === 'resource' ? 'identity' : 'resource'
      expect(() => parsePolicy(texts[kind], kind)).not.toThrow()
      expect(() => parsePolicy(texts[kind], another)).toThrow(malformed)
      expect(compilePolicy(texts[kind], kind).unreadable).toBeUndefined()
      expect(compilePolicy(texts[kind], another).unreadable).toBeDefined()
    }
  })

  it('throws nothing but a failure', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), document => {
        try {
          parsePolicy(document, 'resource')
        } catch (error) {
          expect(error).toEqual(malformed)
        }
      }),
    )
  })
})

describe('a compiled policy', () => {
  it('is kept, but not for ever when there are many', () => {
    const long = (sid: string) => text({ Resource: sid.padEnd(30_000, 'x') })
    const first = compilePolicy(long('first'), 'resource')
    expect(compilePolicy(long('first'), 'resource')).toBe(first)
    for (let i = 0; i < 140; i++) compilePolicy(long(`${i}`), 'resource')
    expect(compilePolicy(long('first'), 'resource')).not.toBe(first)
  })
})
