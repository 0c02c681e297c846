import { describe, expect, it } from 'vitest'
import { readIdentityFile } from '../../src/cli/read-identity-file.ts'
import { OperatorError } from '../../src/errors.ts'

const inAccount = (text: string) => `accounts:\n  111122223333:\n    ${text}\n`
const withCondition = (value: string) =>
  inAccount(
    `policies: { p: { document: { Statement: { Condition: { StringEquals: { sts:ExternalId: ${value} } } } } } }`,
  )

describe('a file of identities', () => {
  it('keeps names and accounts as they are written, even if they look like numbers or nothing', () => {
    const names = ['007', '1.10', '0x10', '1e3', '__proto__', 'constructor', 'true']
    const { accounts } = readIdentityFile(
      `accounts:\n  012345678901:\n    users:\n${names.map(name => `      ${name}: {}\n`).join('')}`,
      'f.yaml',
    )
    expect(Object.keys(accounts)).toEqual(['012345678901'])
    expect(Object.keys(accounts['012345678901']!.users!).sort()).toEqual(names.sort())
  })

  it('keeps numbers and booleans of policies, and repeats what an alias stands for', () => {
    const read = (value: string) => JSON.stringify(readIdentityFile(withCondition(value), 'f.yaml'))
    for (const value of ['5', '-1', '1.5', 'true', '"0012"', '[1, 2]']) {
      expect(read(value), value).toContain(JSON.stringify(JSON.parse(value)))
    }
    const twice = inAccount('policies: { p: { document: &a { Statement: x } }, q: { document: *a } }')
    const { policies } = readIdentityFile(twice, 'f.yaml').accounts['111122223333']!
    expect(policies!.q).toEqual(policies!.p)
  })

  it.each<readonly [what: string, text: string, message: string]>([
    [
      'a number with zeros in front',
      withCondition('0012'),
      'f.yaml:3: 0012 would be read as the number 12: put it in quotes',
    ],
    ['a number with zeros behind', withCondition('1.10'), 'f.yaml:3: 1.10 would be read as the number 1.1: put it'],
    [
      'a number with more digits than there are',
      withCondition('12345678901234567890'),
      'f.yaml:3: 12345678901234567890 would',
    ],
    ['a number in hexadecimal', withCondition('0x10'), 'f.yaml:3: 0x10 would be read as the number 16'],
    ['no number', withCondition('.inf'), 'f.yaml:3: .inf would be read as the number Infinity'],
    ['an account twice', 'accounts:\n  111122223333: {}\n  "111122223333": {}\n', 'f.yaml:3: Map keys must be unique'],
    ['a merge key', inAccount('users: { a: &x {}, b: { <<: *x } }'), 'f.yaml:3: unknown key <<'],
    ['a type of its own', inAccount('users: { a: !!js/function "x" }'), 'f.yaml:3: accounts.111122223333.users.a: '],
    ['aliases of aliases of aliases', `${bomb()}accounts: *d9\n`, 'f.yaml: Excessive alias count'],
    ['an alias of nothing', 'accounts: *x\n', 'f.yaml: Unresolved alias'],
    [
      'an alias within what it stands for',
      inAccount('policies: { p: { document: &a { Statement: *a } } }'),
      'f.yaml: an alias stands for something that contains it',
    ],
    ['brackets without end', `accounts: ${'['.repeat(20_000)}`, 'f.yaml:1: nested too deeply'],
    ['two documents', 'accounts: {}\n---\naccounts: {}\n', 'f.yaml:2: there is more than one document'],
    ['nothing', '', 'f.yaml:1: invalid input'],
    ['an unknown member', 'acounts: {}\n', 'f.yaml:1: '],
  ])('is refused with the place, not read in another way, for %s', (_, text, message) => {
    const read = () => readIdentityFile(text, 'f.yaml')
    expect(read).toThrow(OperatorError)
    expect(read).toThrow(message)
  })

  function bomb(): string {
    const lines = Array.from({ length: 10 }, (_, i) => {
      const item = i === 0 ? 'x' : `*d${i - 1}`
      return `d${i}: &d${i} [${Array.from({ length: 10 }, () => item).join(', ')}]\n`
    })
    return lines.join('')
  }
})
