import { describe, expect, it } from 'vitest'
import { decide } from '../../src/authorization/decide.ts'
import { checkKeyPolicy } from '../../src/authorization/key-policy.ts'
import { compilePattern, piecesOf } from '../../src/authorization/pattern.ts'
import { principalsOf } from '../model/identities/principals.ts'
import { fastest, longestTime } from '../timing.ts'
import { aUser } from './users.ts'

/** Key policies of the longest legal length that cost the most to put, and to decide by. */

const account = '111111111111'
const arn = `arn:aws:iam::${account}:root`
const keyArn = `arn:aws:kms:us-east-1:${account}:key/11111111-1111-1111-1111-111111111111`
const caller = aUser(`arn:aws:iam::${account}:user/alice`, [])
const limit = 32_768

const open = { Effect: 'Allow', Principal: { AWS: '*' }, Action: 'kms:PutKeyPolicy', Resource: '*' }
const short = (index: number) => index.toString(36)

/** The longest policy that fits. @param statements of a policy with that many parts */
function longest(statements: (parts: number) => readonly object[]): string {
  const text = (parts: number) => JSON.stringify({ Version: '2012-10-17', Statement: [open, ...statements(parts)] })
  let [fits, not] = [1, limit]
  while (not - fits > 1) {
    const middle = (fits + not) >> 1
    if (text(middle).length <= limit) fits = middle
    else not = middle
  }
  return text(fits)
}

const times = <T>(count: number, make: (index: number) => T) => Array.from({ length: count }, (_, index) => make(index))
const statement = (rest: object) => ({
  Effect: 'Allow',
  Principal: { AWS: arn },
  Action: 'kms:Decrypt',
  Resource: '*',
  ...rest,
})

const policies: Record<string, (parts: number) => readonly object[]> = {
  'many statements': parts => times(parts, () => statement({})),
  'many actions': parts => [statement({ Action: times(parts, index => `*${short(index)}`) })],
  'many resources': parts => [statement({ Resource: times(parts, index => `*${short(index)}`) })],
  'many principals': parts => [
    statement({ Principal: { AWS: times(parts, index => `arn:aws:iam::${account}:user/${short(index)}`) } }),
  ],
  'one long resource': parts => [statement({ Resource: `${'*1'.repeat(parts)}z` })],
  'one long action': parts => [statement({ Action: `${'*e'.repeat(parts)}z` })],
  'one long principal': parts => [
    statement({ Principal: { AWS: `${arn.replace('root', 'user/')}${'a/'.repeat(parts)}` } }),
  ],
  stars: parts => [statement({ Resource: `${'*'.repeat(parts)}z` })],
  'question marks': parts => [statement({ Resource: `*${'?'.repeat(parts)}` })],
  'resources as long as the ARN': parts => [statement({ Resource: times(parts, () => `${'*1'.repeat(36)}z`) })],
  'resources that nearly match': parts => [statement({ Resource: times(parts, () => `${'*111111z'.repeat(8)}`) })],
  'long Sid': parts => [statement({ Sid: 'a'.repeat(parts) })],
  'a condition': parts => [statement({ Condition: { StringLike: times(parts, short) } })],
  'unknown elements': parts => [statement(Object.fromEntries(times(parts, index => [short(index), 0])))],
  'nested lists': parts => [
    statement({
      Action: JSON.parse(`${'['.repeat(Math.min(parts, 2000))}${']'.repeat(Math.min(parts, 2000))}`) as unknown,
    }),
  ],
}

describe('the worst key policy', () => {
  it.each(Object.entries(policies))('with %s is put, and decides, in short time', (_, statements) => {
    const text = longest(statements)
    let count = 0
    const put = () => {
      // White space, so that none is remembered.
      const fresh = `${text.slice(0, limit - 5)}${' '.repeat(count++)}`
      try {
        const proposed = { text: text.length > limit - 5 ? text : fresh, keyArn, account, caller }
        checkKeyPolicy({ ...proposed, bypassLockoutSafetyCheck: false }, principalsOf())
        return true
      } catch {
        return false
      }
    }
    expect(fastest(5, put)).toBeLessThan(longestTime())
    if (!put()) return
    const request = {
      principal: caller,
      action: 'kms:Decrypt',
      resource: keyArn,
      account,
      context: () => undefined,
    }
    expect(fastest(5, () => decide(request, { identity: [], resource: { text } }))).toBeLessThan(longestTime())
  })

  it('is no longer for a long ARN', () => {
    const long = `arn:aws:kms:us-east-1:${account}:alias/${'1'.repeat(256)}`
    for (const pattern of ['*1'.repeat(16_384), `${'*1'.repeat(128)}z`, '*'.repeat(32_768), '*?'.repeat(16_384)]) {
      const matches = compilePattern(piecesOf(`${pattern}z`))
      expect(fastest(5, () => matches(long))).toBeLessThan(longestTime() / 10)
    }
  })
})
