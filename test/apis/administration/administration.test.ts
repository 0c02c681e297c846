import { describe, expect, it } from 'vitest'
import { administration } from '../../../src/apis/administration/administration.ts'
import type { ApiRequest } from '../../../src/apis/api.ts'
import type { AnyOperation } from '../../../src/operations/operation.ts'

const account = '111122223333'

function read(operation: string, text: string): unknown {
  const request = { method: 'POST', url: `/${operation}` } as ApiRequest
  return administration.input(administration.operation(request) as AnyOperation, Buffer.from(text), request)
}

const apply = (users: string) => `{"file": {"accounts": {"${account}": {"users": ${users}}}}}`
const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`

describe('a body of the administration API', () => {
  it.each([
    ['is no JSON', 'ListAccounts', '{', 'the body is not JSON'],
    ['is no object', 'ListAccounts', '[]', 'expected object'],
    [
      'is nested deeply',
      'ApplyIdentities',
      apply(`{"a": {"inlinePolicies": {"p": ${nested(100_000)}}}}`),
      'nested deeper',
    ],
    ['is nested deeply in lists', 'CreateIdentity', `{"entry": ${'['.repeat(1e6)}${']'.repeat(1e6)}}`, 'nested deeper'],
    ['names a user __proto__', 'ApplyIdentities', apply('{"__proto__": {}}'), 'nothing can be named __proto__'],
    [
      'names a tag __proto__',
      'ApplyIdentities',
      apply('{"a": {"tags": {"__proto__": "x"}}}'),
      'can be named __proto__',
    ],
  ])('is refused when it %s', (_, operation, text, message) => {
    expect(() => read(operation, text)).toThrow(message)
  })

  it('may hold a policy that is nested as deeply as policies are', () => {
    const policy = {
      Version: '2012-10-17',
      Statement: [{ Condition: { StringEquals: { 'aws:PrincipalTag/a': ['b'] } } }],
    }
    const text = apply(`{"a": {"inlinePolicies": {"p": ${JSON.stringify(policy)}}}}`)
    expect(read('ApplyIdentities', text)).toMatchObject({ file: { accounts: { [account]: { users: { a: {} } } } } })
  })
})
