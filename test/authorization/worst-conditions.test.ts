// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables
import { describe, expect, it } from 'vitest'
import { compilePolicy } from '../../src/authorization/compile.ts'
import { decide } from '../../src/authorization/decide.ts'
import { fastest, longestTime } from '../timing.ts'

/** Conditions of the longest legal key policy that cost the most, against the longest encryption context: 8 KB in one value, or in many. */

const account = '111111111111'
const limit = 32_768
const longest = 8_192

const statement = { Effect: 'Allow', Principal: '*', Action: '*', Resource: '*' }
const text = (statements: readonly object[]) => JSON.stringify({ Version: '2012-10-17', Statement: statements })

/** As many of the same part as fit into a policy. */
function many<T>(part: T, overhead = 200): readonly T[] {
  return Array(Math.floor((limit - overhead) / (JSON.stringify(part).length + 1))).fill(part)
}

/** One condition with as many values as fit. */
const values = (operator: string, value: string) =>
  text([{ ...statement, Condition: { [operator]: { k: many(value) } } }])
/** As many statements as fit, with one condition each. */
const statements = (operator: string, value: string) =>
  text(many({ ...statement, Condition: { [operator]: { k: value } } }))

const a = 'a'.repeat(longest)
const pairs = (value: string) => Array<string>(1_600).fill(value)
/** Values of a variable that are just not too long together. */
const variable = (uses: number) => 'a'.repeat(Math.floor(32_768 / (uses + 1)))

// biome-ignore format: a table
const worst: Record<string, [policy: string, values: readonly string[], variable?: string]> = {
  'literals of half its length':        [values('StringLike', `*${'a'.repeat(4000)}b*`), [a]],
  'literals that differ at the start':  [values('StringLike', `*b${'a'.repeat(4000)}*`), [a]],
  'gaps':                               [values('StringLike', `*${'a?'.repeat(2000)}b*`), [a]],
  'short gaps':                         [values('StringLike', `*${'a?'.repeat(10)}b*`), [a]],
  'short patterns':                     [values('StringLike', '*ab*'), [a]],
  'many stars':                         [values('StringLike', `${'*a'.repeat(2000)}b`), [a]],
  'one pattern of full length':         [values('StringLike', `*${'a'.repeat(limit - 300)}`), [a]],
  'ARN patterns':                       [values('ArnLike', '*:*:*:*:*:*a*b'), [`:::::${a}`]],
  'nothing but colons':                 [statements('ArnLike', '*:*:*:*:*:*b'), [':'.repeat(longest)]],
  'a digit in each statement':          [statements('NumericEquals', '1'), ['1'.repeat(longest)]],
  'digits and no number':               [statements('NumericLessThan', '1'), [`${'1'.repeat(longest)}x`]],
  'digits and no date':                 [statements('DateLessThan', '1'), [`${'1'.repeat(longest)}x`]],
  'letters in each statement':          [statements('StringEqualsIgnoreCase', 'b'), ['A'.repeat(longest)]],
  'base64 in each statement':           [statements('BinaryEquals', 'AA=='), ['A'.repeat(longest)]],
  'many values, equal to none':         [values('ForAnyValue:StringEquals', 'b'), pairs('aa')],
  'many values, like none':             [values('ForAnyValue:StringLike', 'a*b'), pairs('aa')],
  'many values in each statement':      [statements('ForAnyValue:StringLike', '*b'), pairs('aa')],
  'many numbers':                       [values('ForAnyValue:NumericEquals', '1'), pairs('2')],
  'many dates in each statement':       [statements('ForAnyValue:DateGreaterThan', '3'), pairs('2')],
  'many addresses':                     [values('ForAnyValue:IpAddress', '10.0.0.0/8'), pairs('11.1.1.1')],
  'a variable many times in a value':   [text([{ ...statement, Condition: { StringEquals: { k: '${v}'.repeat(8_000) } } }]), [a], variable(8_000)],
  'a variable in many patterns':        [values('StringLike', '*${v}b*'), [a], variable(3_200)],
  'a long variable in a few patterns':  [text([{ ...statement, Condition: { StringLike: { k: Array(16).fill('*${v}b*') } } }]), [a], variable(16)],
  'a variable in many resources':       [text([{ ...statement, Resource: many('${v}*') }]), [], variable(4_500)],
}

describe('the worst condition', () => {
  it.each(Object.entries(worst))('with %s is decided in bounded time', (_, [policy, values, variable]) => {
    expect(policy.length).toBeLessThanOrEqual(limit)
    expect(compilePolicy(policy, 'resource').unreadable).toBeUndefined()
    const context = new Map<string, readonly string[]>([['k', values]])
    if (variable !== undefined) context.set('v', [variable])
    const request = {
      principal: { arn: `arn:aws:iam::${account}:user/alice`, account, principalId: '' },
      action: 'kms:Decrypt',
      resource: `arn:aws:kms:us-east-1:${account}:key/11111111-1111-1111-1111-111111111111`,
      account,
      context: (name: string) => context.get(name),
    }
    const policies = { identity: [], resource: { text: policy } }
    expect(decide(request, policies).allowed).toBe(false)
    expect(fastest(2, () => decide(request, policies))).toBeLessThan(5 * longestTime())
  })

  // Each is a part that a regular expression might try to match again and again.
  it.each([
    ['white space in a variable', '${a', ' ', ''],
    ['white space before a variable', '${', ' ', ''],
    ['white space before a default', '${a,', ' ', ''],
    ['white space behind a default', "${a, ''", ' ', ''],
    ['a default without an end', "${a, '", 'x', ''],
    ['starts of variables', '', '${', ''],
    ['starts of defaults', '', "${a, '", ''],
    ['quotation marks in a string', '', '\\"', ''],
    ['backslashes in a string', '', '\\\\', ''],
    ['colons', '', ':', ''],
  ])('is compiled in short time with %s', (_, start, part, end) => {
    const written = start + part.repeat(Math.floor((limit - 300) / part.length)) + end
    const document = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"StringLike":{"k":"${written}"},"ArnLike":{"k":"${written}"}}}}`
    const compile = (count: number) => compilePolicy(`${document}${' '.repeat(count)}`, 'resource')
    let count = 0
    expect(fastest(2, () => compile(count++))).toBeLessThan(5 * longestTime())
    // The same, without an end.
    expect(fastest(2, () => compilePolicy(document.slice(0, 32_000) + ' '.repeat(count++), 'resource'))).toBeLessThan(
      5 * longestTime(),
    )
  })
})
