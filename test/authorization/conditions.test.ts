// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables
import { describe, expect, it } from 'vitest'
import { compileCondition, findOperator } from '../../src/authorization/conditions.ts'

type Values = string | readonly string[]
const list = (values: Values) => (typeof values === 'string' ? [values] : values)

/** Whether a condition holds for these values of its key; undefined: the request does not have the key. */
function holds(operator: string, expected: Values, actual: Values | undefined, effect: 'Allow' | 'Deny' = 'Allow') {
  const values = actual === undefined ? undefined : list(actual)
  const { holds } = compileCondition({ operator, key: 'aws:Key', values: list(expected) }, effect, '2012-10-17')
  return holds(name => (name === 'aws:key' ? values : undefined))
}

const yes = true
const no = false
const arn = 'arn:aws:iam::111122223333:role/path/app'
const several = ['a', 'b']
const absent = undefined
const none: readonly string[] = []

describe('condition operators', () => {
  // biome-ignore format: a table
  it.each<[string, Values, Values | undefined, boolean]>([
    ['StringEquals', 'a', 'a', yes],
    ['StringEquals', 'a', 'A', no],
    ['StringEquals', several, 'b', yes],
    ['StringEquals', 'a*', 'a*', yes],
    ['StringEquals', 'a*', 'ab', no],
    ['StringEquals', '', '', yes],
    ['StringEquals', 'é', 'e\u0301', no],
    ['StringEquals', none, 'a', no],
    ['StringEquals', 'a', absent, no],
    ['StringEquals', 'a', none, no],
    ['StringNotEquals', 'a', 'b', yes],
    ['StringNotEquals', several, 'c', yes],
    ['StringNotEquals', several, 'b', no],
    ['StringNotEquals', 'a', absent, yes],
    ['StringNotEquals', 'a', several, no],
    ['StringNotEquals', none, 'a', yes],
    ['StringEqualsIgnoreCase', 'aBc', 'AbC', yes],
    ['StringEqualsIgnoreCase', 'É', 'é', yes],
    ['StringEqualsIgnoreCase', 'k', '\u212a', no],
    ['StringEqualsIgnoreCase', 'i', '\u0130', no],
    ['StringEqualsIgnoreCase', 'ss', 'ß', no],
    ['StringEqualsIgnoreCase', 'a*', 'AB', no],
    ['StringNotEqualsIgnoreCase', 'a', 'A', no],
    ['StringNotEqualsIgnoreCase', 'a', 'b', yes],
    ['StringLike', 'a*c', 'abbc', yes],
    ['StringLike', 'a?c', 'abc', yes],
    ['StringLike', 'a?c', 'ac', no],
    ['StringLike', 'a*', 'A', no],
    ['StringLike', '*', '', yes],
    ['StringLike', '*', absent, no],
    ['StringLike', '[ab]+', 'ab', no],
    ['StringNotLike', 'a*', 'abc', no],
    ['StringNotLike', 'a*', 'b', yes],
    ['StringNotLike', '*', absent, yes],

    ['NumericEquals', '10', '10.0', yes],
    ['NumericEquals', '10', '1e1', yes],
    ['NumericEquals', '10', '+10', yes],
    ['NumericEquals', '10', '0xA', no],
    ['NumericEquals', '10', ' 10', no],
    ['NumericEquals', '10', '', no],
    ['NumericEquals', '0', '', no],
    ['NumericEquals', 'NaN', 'NaN', no],
    ['NumericEquals', 'Infinity', 'Infinity', no],
    ['NumericEquals', ['x', '10'], '10', yes],
    ['NumericEquals', 'x', '10', no],
    ['NumericEquals', '10', absent, no],
    ['NumericNotEquals', '10', '11', yes],
    ['NumericNotEquals', '10', '10', no],
    ['NumericNotEquals', '10', absent, yes],
    ['NumericLessThan', '10', '9', yes],
    ['NumericLessThan', '10', '10', no],
    ['NumericLessThan', '10', '9x', no],
    ['NumericLessThan', '9', '10', no],
    ['NumericLessThan', ['5', '10'], '7', yes],
    ['NumericLessThan', none, '7', no],
    ['NumericLessThanEquals', '10', '10', yes],
    ['NumericLessThanEquals', '10', '10.01', no],
    ['NumericGreaterThan', '10', '11', yes],
    ['NumericGreaterThan', '10', '10', no],
    ['NumericGreaterThan', '-10', '-9', yes],
    ['NumericGreaterThan', ['5', '10'], '7', yes],
    ['NumericGreaterThan', none, '7', no],
    ['NumericGreaterThanEquals', '10', '10', yes],
    ['NumericGreaterThanEquals', '10', '9', no],
    ['NumericLessThanEquals', none, '-1e999', no],
    ['NumericLessThanEquals', 'x', '-1e999', no],
    ['NumericGreaterThanEquals', none, '1e999', no],
    ['DateLessThanEquals', none, `-${'9'.repeat(400)}`, no],
    ['DateGreaterThanEquals', 'soon', '9'.repeat(400), no],

    ['DateEquals', '2026-11-28T00:00:00Z', '2026-11-28T00:00:00Z', yes],
    ['DateEquals', '2026-11-28T00:00:00Z', '1795824000', yes],
    ['DateEquals', '1795824000', '2026-11-28T00:00:00.000Z', yes],
    ['DateEquals', '2026-11-28', '2026-11-28T00:00:00Z', yes],
    ['DateEquals', '2026-11', '2026-11-01T00:00:00Z', yes],
    ['DateEquals', '2026-11-28T01:00:00+01:00', '2026-11-28T00:00:00Z', yes],
    ['DateEquals', '2026-11-27T19:00:00-05:00', '2026-11-28T00:00Z', yes],
    ['DateEquals', '2026-11-28T00:00:00', '2026-11-28T00:00:00Z', yes],
    ['DateEquals', '2026-02-30', '2026-03-02', no],
    ['DateEquals', '2026-13-01', '2027-01-01', no],
    ['DateEquals', '2026-11-28T24:00:00Z', '2026-11-29T00:00:00Z', no],
    ['DateEquals', 'yesterday', 'yesterday', no],
    ['DateEquals', 'Sat, 28 Nov 2026 00:00:00 GMT', '2026-11-28T00:00:00Z', no],
    ['DateNotEquals', '2026-11-28', '2026-11-29', yes],
    ['DateNotEquals', '2026-11-28', '2026-11-28', no],
    ['DateNotEquals', '2026-11-28', absent, yes],
    ['DateLessThan', '2026-11-28T00:00:00.5Z', '2026-11-28T00:00:00.4Z', yes],
    ['DateLessThan', '2026-11-28T00:00:00Z', '2026-11-28T00:00:00Z', no],
    ['DateLessThan', '2026-11-28', 'soon', no],
    ['DateLessThanEquals', '2026-11-28', '2026-11-28', yes],
    ['DateGreaterThan', '2026-11-28', '2026-11-28T00:00:01Z', yes],
    ['DateGreaterThan', '2026-11-28', '2026-11-28', no],
    ['DateGreaterThanEquals', '2026-11-28', '2026-11-28', yes],

    ['Bool', 'true', 'true', yes],
    ['Bool', 'True', 'TRUE', yes],
    ['Bool', 'true', 'false', no],
    ['Bool', 'false', 'false', yes],
    ['Bool', 'false', absent, no],
    ['Bool', 'yes', 'yes', no],
    ['Bool', 'true', '1', no],

    ['BinaryEquals', 'QUJD', 'QUJD', yes],
    ['BinaryEquals', 'QUJD', 'qujd', no],
    ['BinaryEquals', 'QUI=', 'QUI=', yes],
    ['BinaryEquals', 'not base64', 'not base64', no],

    ['IpAddress', '192.0.2.0/24', '192.0.2.77', yes],
    ['IpAddress', '192.0.2.0/24', '192.0.3.1', no],
    ['IpAddress', '192.0.2.99/24', '192.0.2.1', yes],
    ['IpAddress', '192.0.2.1', '192.0.2.1', yes],
    ['IpAddress', '192.0.2.1', '192.0.2.2', no],
    ['IpAddress', '0.0.0.0/0', '203.0.113.9', yes],
    ['IpAddress', '0.0.0.0/0', '2001:db8::1', no],
    ['IpAddress', '2001:DB8:1234:5678::/64', '2001:db8:1234:5678::9', yes],
    ['IpAddress', '2001:db8:1234:5678::/64', '2001:db8:1234:5679::9', no],
    ['IpAddress', '2001:db8::1', '2001:0db8:0:0::0001', yes],
    ['IpAddress', '::/0', '192.0.2.1', no],
    ['IpAddress', ['192.0.2.0/24', '2001:db8::/32'], '2001:db8::1', yes],
    ['IpAddress', '192.0.2.0/24', '::ffff:192.0.2.1', yes],
    ['IpAddress', '192.0.2.0/24', '::ffff:c000:201', yes],
    ['IpAddress', '192.0.2.0/24', '::192.0.2.1', no],
    ['IpAddress', '::ffff:192.0.2.0/120', '::ffff:c000:201', yes],
    ['IpAddress', '::ffff:192.0.2.0/120', '192.0.2.1', no],
    ['IpAddress', '1:2:3:4:5:6:192.0.2.0/112', '1:2:3:4:5:6:c000:ffff', yes],
    ['IpAddress', '2001:db8::2/127', '2001:db8::3', yes],
    ['IpAddress', '2001:db8::2/127', '2001:db8::4', no],
    ['IpAddress', '1::/128', '1:0:0:0:0:0:0:0', yes],
    ['IpAddress', '::/0', '::ffff:192.0.2.1', yes],
    ['IpAddress', '::1/129', '::1', no],
    ['IpAddress', '192.0.2.0/33', '192.0.2.1', no],
    ['IpAddress', '192.0.2.0/-1', '192.0.2.1', no],
    ['IpAddress', '192.0.2/24', '192.0.2.1', no],
    ['IpAddress', '010.0.0.1', '10.0.0.1', no],
    ['IpAddress', '192.0.2.*', '192.0.2.1', no],
    ['IpAddress', '192.0.2.0/24', 'localhost', no],
    ['IpAddress', 'fe80::/10', 'fe80::1%eth0', no],
    ['NotIpAddress', '192.0.2.0/24', '192.0.3.1', yes],
    ['NotIpAddress', '192.0.2.0/24', '192.0.2.1', no],
    ['NotIpAddress', '192.0.2.0/24', absent, yes],

    ['ArnEquals', arn, arn, yes],
    ['ArnEquals', 'arn:aws:iam::*:role/*', arn, yes],
    ['ArnLike', 'arn:aws:iam::*:role/path/*', arn, yes],
    ['ArnLike', 'arn:aws:iam::????22223333:role/*', arn, yes],
    ['ArnLike', 'arn:aws:iam:*:role/path/app', arn, no],
    ['ArnLike', 'arn:aws:*', arn, no],
    ['ArnLike', '*', arn, no],
    ['ArnLike', '*:*:*:*:*:*', arn, yes],
    ['ArnLike', 'arn:aws:iam::111122223333?role/*', arn, no],
    ['ArnLike', 'arn:aws:logs:*:*:log-group:*', 'arn:aws:logs:eu-west-1:111122223333:log-group:a:b', yes],
    ['ArnLike', 'ARN:aws:iam::*:role/*', arn, no],
    ['ArnLike', '*:*:*:*:*:*', 'arn:aws:iam::111122223333', no],
    ['ArnNotEquals', arn, arn, no],
    ['ArnNotLike', 'arn:aws:iam::*:user/*', arn, yes],
    ['ArnNotLike', '*', arn, yes],
    ['ArnNotLike', 'arn:aws:iam::*:role/*', absent, yes],

    ['Null', 'true', absent, yes],
    ['Null', 'true', none, yes],
    ['Null', 'true', '', no],
    ['Null', 'false', 'a', yes],
    ['Null', 'false', absent, no],
    ['Null', ['true', 'false'], absent, yes],
    ['Null', 'maybe', absent, no],

    ['StringEqualsIfExists', 'a', absent, yes],
    ['StringEqualsIfExists', 'a', 'b', no],
    ['StringNotEqualsIfExists', 'a', absent, yes],
    ['StringNotEqualsIfExists', 'a', 'a', no],
    ['BoolIfExists', 'true', 'false', no],
    ['IpAddressIfExists', '192.0.2.0/24', absent, yes],

    ['StringEquals', 'a', several, yes],
    ['StringEquals', 'c', several, no],
    ['ForAnyValue:StringEquals', 'a', several, yes],
    ['ForAnyValue:StringEquals', 'c', several, no],
    ['ForAnyValue:StringEquals', 'a', absent, no],
    ['ForAnyValue:StringEqualsIfExists', 'a', absent, no],
    ['ForAnyValue:StringNotEquals', 'a', several, yes],
    ['ForAnyValue:StringNotEquals', several, several, no],
    ['ForAnyValue:StringNotEquals', 'a', absent, no],
    ['ForAllValues:StringEquals', several, several, yes],
    ['ForAllValues:StringEquals', 'a', several, no],
    ['ForAllValues:StringEquals', 'a', absent, yes],
    ['ForAllValues:StringEquals', 'a', none, yes],
    ['ForAllValues:StringEqualsIfExists', 'a', absent, yes],
    ['ForAllValues:StringNotEquals', 'c', several, yes],
    ['ForAllValues:StringNotEquals', 'a', several, no],
    ['ForAllValues:NumericLessThan', '10', ['1', '2'], yes],
    ['ForAllValues:NumericLessThan', '10', ['1', '20'], no],
  ])('%s %j of a request with %j: %s', (operator, expected, actual, outcome) => {
    expect(holds(operator, expected, actual)).toBe(outcome)
  })

  it.each([
    'StringEqual',
    'stringEquals',
    'STRINGEQUALS',
    'StringEqualsIfExistsIfExists',
    'IfExists',
    '',
    'ForAllValues:',
    'forAnyValue:StringEquals',
    'ForAnyValue:ForAllValues:StringEquals',
    'ForSomeValues:StringEquals',
    'NullIfExists',
    'ForAllValues:Null',
    ' StringEquals',
    'StringEquals\n',
    'NumericLike',
    'NotNull',
    'ArnEqualsIgnoreCase',
    'constructor',
    '__proto__',
  ])('%j is none, and never makes a policy wider: an Allow does not apply, a Deny does', operator => {
    expect(findOperator(operator)).toBeUndefined()
    for (const actual of ['a', absent, several]) {
      expect(holds(operator, 'a', actual, 'Allow')).toBe(false)
      expect(holds(operator, 'a', actual, 'Deny')).toBe(true)
    }
  })

  // biome-ignore format: a table
  it.each([
    ['NumericNotEquals',              '10',                   'x'],
    ['NumericNotEquals',              'x',                    '10'],
    ['NumericNotEquals',              ['10', 'x'],            '11'],
    ['NumericNotEqualsIfExists',      '10',                   '1,5'],
    ['ForAllValues:NumericNotEquals', '10',                   ['11', 'x']],
    ['ForAnyValue:NumericNotEquals',  '10',                   ['11', 'x']],
    ['DateNotEquals',                 '2026-11-28T00:00:00Z', 'now'],
    ['DateNotEquals',                 'now',                  '2026-11-28T00:00:00Z'],
    ['NotIpAddress',                  '10.0.0.0/8',           'localhost'],
    ['NotIpAddress',                  '10.0.0.0/64',          '192.0.2.1'],
  ])('%s %j of a request with %j makes no policy wider: an Allow does not apply, a Deny does', (operator, expected, actual) => {
    expect(holds(operator, expected, actual, 'Allow')).toBe(false)
    expect(holds(operator, expected, actual, 'Deny')).toBe(true)
  })

  it('accept values that they can compare, and tell the others', () => {
    const accepts = (operator: string, value: string) => findOperator(operator)!.operator.comparison.accepts(value)
    // biome-ignore format: a table
    const table: [string, string[], string[]][] = [
      ['StringLike',           ['', '*', 'x'],                        []],
      ['NumericEquals',        ['1', '-1.5', '1e3'],                  ['', 'one', '1,5', '${a}']],
      ['DateLessThanIfExists', ['2026-11-28', '0', '2026-11-28T00Z'.replace('T00Z', 'T00:00Z')], ['', 'now', '2026/11/28', '${aws:CurrentTime}']],
      ['Bool',                 ['true', 'False'],                     ['', 'yes', '1']],
      ['Null',                 ['true', 'false'],                     ['']],
      ['BinaryEquals',         ['', 'QUJD'],                          ['QUJ', '*']],
      ['NotIpAddress',         ['10.0.0.0/8', '::1'],                 ['', '10.*', '10.0.0.0/64']],
      ['ArnLike',              ['arn:aws:iam::1:x', '*:*:*:*:*:*', 'arn:aws:iam::${aws:PrincipalAccount}:x'], ['', '*', 'arn:aws:iam::1']],
    ]
    for (const [operator, good, bad] of table) {
      for (const value of good) expect(accepts(operator, value), `${operator} ${value}`).toBe(true)
      for (const value of bad) expect(accepts(operator, value), `${operator} ${value}`).toBe(false)
    }
  })

  it('ask for a key in lower case, and no other letters than ASCII are folded', () => {
    const asked: string[] = []
    const condition = { operator: 'StringEquals', key: 'KMS:EncryptionContext:\u212aEY', values: ['a'] }
    compileCondition(condition, 'Allow', '2012-10-17').holds(name => {
      asked.push(name)
      return undefined
    })
    expect(asked).toEqual(['kms:encryptioncontext:\u212aey'])
  })
})
