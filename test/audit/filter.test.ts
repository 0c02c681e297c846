import { describe, expect, it } from 'vitest'
import { type Filter, filterOf } from '../../src/audit/filter.ts'
import { aRecord } from './records.ts'

const id = '1234abcd-12ab-34cd-56ef-1234567890ab'
const arn = `arn:aws:kms:eu-west-1:111122223333:key/${id}`
const alias = 'arn:aws:kms:eu-west-1:111122223333:alias/orders'

const line = JSON.stringify(
  aRecord(7, {
    eventTime: '2026-01-01T10:00:00Z',
    recipientAccountId: '111122223333',
    userIdentity: {
      type: 'AssumedRole',
      principalId: 'AROAEXAMPLE:worker-1',
      arn: 'arn:aws:sts::111122223333:assumed-role/orders/worker-1',
      accessKeyId: 'ASIAEXAMPLE',
      sessionContext: {
        sessionIssuer: { arn: 'arn:aws:iam::111122223333:role/orders', userName: 'orders', principalId: 'AROAEXAMPLE' },
      },
    },
    requestParameters: { keyId: 'alias/orders', description: 'arn:aws:kms:eu-west-1:111122223333:key/other' },
    resources: [{ ARN: arn, accountId: '111122223333', type: 'AWS::KMS::Key' }],
    errorCode: 'AccessDenied',
    sharedEventID: 'shared',
  }),
)
const success = JSON.stringify(
  aRecord(8, { eventTime: '2026-01-01T11:00:00.500Z', userIdentity: { type: 'Operator', uid: 0 } }),
)

function choose(line: string, filter: Filter): boolean {
  return filterOf(filter)(line) !== undefined
}

describe('a record is chosen by', () => {
  it.each<Filter>([
    {},
    { key: id },
    { key: arn },
    { key: 'alias/orders' },
    { key: alias },
    { caller: 'arn:aws:sts::111122223333:assumed-role/orders/worker-1' },
    { caller: 'arn:aws:iam::111122223333:role/orders' },
    { caller: 'orders' },
    { caller: 'worker-1' },
    { caller: 'AROAEXAMPLE' },
    { caller: 'AROAEXAMPLE:worker-1' },
    { caller: 'ASIAEXAMPLE' },
    { operation: 'Encrypt' },
    { operation: 'encrypt' },
    { operation: 'kms:Encrypt' },
    { outcome: 'failure' },
    { outcome: 'AccessDenied' },
    { outcome: 'AccessDeniedException' },
    { id: '7' },
    { id: 'request-7' },
    { id: 'shared' },
    { account: '111122223333' },
    { since: Date.parse('2026-01-01T10:00:00Z'), until: Date.parse('2026-01-01T10:00:01Z') },
    { key: id, caller: 'orders', operation: 'Encrypt', outcome: 'failure' },
  ])('%j', filter => {
    expect(choose(line, filter)).toBe(true)
  })

  it.each<Filter>([
    { key: 'other' },
    { key: id.slice(0, 8) },
    { key: arn.replace('111122223333', '444455556666') },
    { key: alias.replace('111122223333', '444455556666') },
    { key: 'orders' },
    { key: '' },
    { caller: 'order' },
    { caller: 'AssumedRole' },
    { caller: '' },
    { operation: 'Encryp' },
    { operation: 'EventName' },
    { outcome: 'success' },
    { outcome: 'Denied' },
    { id: '77' },
    { account: '444455556666' },
    { since: Date.parse('2026-01-01T10:00:01Z') },
    { until: Date.parse('2026-01-01T10:00:00Z') },
    { key: id, outcome: 'success' },
  ])('nothing else: %j', filter => {
    expect(choose(line, filter)).toBe(false)
  })

  it('the operator by name or user ID, success without an error', () => {
    expect(choose(success, { caller: 'Operator' })).toBe(true)
    expect(choose(success, { caller: '0', outcome: 'success' })).toBe(true)
    expect(choose(success, { outcome: 'failure' })).toBe(false)
  })

  it('nothing if it is no record', () => {
    for (const text of [
      '',
      'null',
      '7',
      '[]',
      '{}',
      '"eventTime"',
      '{"eventTime":7}',
      '{"intent":',
      '\0',
      '{"__proto__":null}',
    ])
      expect(choose(text, {})).toBe(false)
    expect(choose('{"eventTime":"never","userIdentity":[],"resources":null,"requestParameters":7}', { since: 0 })).toBe(
      false,
    )
    for (const filter of [{ key: 'a' }, { caller: 'a' }, { outcome: 'a' }, { id: 'a' }])
      expect(
        choose(
          '{"eventTime":"a","userIdentity":"a","resources":[null,"a"],"requestParameters":["a"],"errorCode":["a"]}',
          filter,
        ),
      ).toBe(false)
  })
})
