import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Principal } from '../../../src/model/identities/principal.ts'
import { shownKeyPolicy } from '../../../src/model/keys/policy-principals.ts'
import { account, aKey, aPrincipal, aRole } from '../../storage/records.ts'
import { principalsOf } from '../identities/principals.ts'

const alice = aPrincipal('alice')
const bob = aPrincipal('bob')
const backup = aRole('backup')
const night = `arn:aws:sts::${account}:assumed-role/backup/night`

const policyPrincipals = {
  [alice.arn]: alice.principalId,
  [bob.arn]: bob.principalId,
  [backup.arn]: backup.principalId,
  [night]: `${backup.principalId}:night`,
}

/** The policy as it is shown while only these principals exist. */
function shown(policy: string, ...existing: Principal[]): string {
  return shownKeyPolicy(aKey(1, { policy, policyPrincipals }), principalsOf(...existing))
}

describe('a key policy', () => {
  const text = `{ "Statement": [{"Principal":{"AWS":["${alice.arn}" ,\n\t"${backup.arn}"]}},\n{"NotPrincipal" : {"AWS":"${alice.arn}"}}] }`

  it('is shown as it was put while its principals exist', () => {
    expect(shown(text, alice, bob, backup)).toBe(text)
  })

  it('shows the unique id of a user that is gone, and is otherwise unchanged', () => {
    expect(shown(text, bob, backup)).toBe(text.replaceAll(alice.arn, alice.principalId))
  })

  it('shows the unique id of a user that was created again under the same name', () => {
    expect(shown(text, { ...alice, principalId: 'AIDAAGAIN' }, backup)).toBe(
      text.replaceAll(alice.arn, alice.principalId),
    )
  })

  it('shows the unique ids of the last principals of an account', () => {
    expect(shown(text)).toBe(text.replaceAll(alice.arn, alice.principalId).replaceAll(backup.arn, backup.principalId))
  })

  it('shows the unique id of a role with the name of the session', () => {
    const ofSession = `{"Statement":{"Principal":{"AWS":"${night}"}}}`
    expect(shown(ofSession, alice)).toBe(`{"Statement":{"Principal":{"AWS":"${backup.principalId}:night"}}}`)
  })

  it('is shown as it was put if its principals were not known by id then', () => {
    const key = aKey(1, { policy: text })
    expect(shownKeyPolicy(key, principalsOf(bob))).toBe(text)
  })

  it('shows no id in any other place', () => {
    const gone = JSON.stringify(alice.arn)
    const others = `{"Id":${gone},"Statement":[{"Sid":${gone},"Principal":{"AWS":"*","Service":${gone}},"Resource":${gone},
      "Condition":{"ArnEquals":{"aws:PrincipalArn":${gone},"Principal":${gone}},"Principal":{"AWS":[${gone}]}},
      "Action":[${gone},{"Principal":{"AWS":${gone}}}]}],"Principal":{"AWS":${gone}},${gone}:{"Principal":{"AWS":${gone}}}}`
    JSON.parse(others)
    expect(shown(others, backup)).toBe(others)
  })

  it('shows ids in principals only, whatever its structure', () => {
    const name = fc.constantFrom('Statement', 'Principal', 'NotPrincipal', 'AWS', 'Service', alice.arn, 'a"\\b')
    const { json } = fc.letrec(tie => ({
      json: fc.oneof(
        { maxDepth: 6 },
        fc.constantFrom(alice.arn, bob.arn, '*', '\\"[{', 1, true, null),
        fc.array(tie('json'), { maxLength: 3 }),
        fc.dictionary(name, tie('json'), { maxKeys: 3 }),
      ),
    }))
    const policies = fc.tuple(json, json, json, json).map(([Id, other, AWS, Condition]) => ({
      Id,
      Statement: [other, { Principal: { AWS }, NotPrincipal: { AWS: [AWS] }, Condition }],
    }))
    fc.assert(
      fc.property(policies, fc.constantFrom('', ' ', '\n\t'), (policy, space) => {
        const text = JSON.stringify(policy, undefined, space)
        expect(shown(text, bob)).toBe(JSON.stringify(withoutAlice(policy), undefined, space))
      }),
    )
  })

  it.each([
    ['as a plain string', JSON.stringify(alice.arn)],
    ['with an escape', JSON.stringify(alice.arn).replace('alice', '\\u0061lice')],
  ])('shows the id of a name written %s', (_how, name) => {
    const written = `{"St\\u0061tement":{"Sid":"\\"\\\\","Principal" \n:{"AWS":[${name},"*"]}}}`
    expect(shown(written, backup)).toBe(written.replace(name, JSON.stringify(alice.principalId)))
  })
})

/** With the id of `alice` in every place where a policy names principals. @param path members that lead to the value */
function withoutAlice(value: unknown, path = ''): unknown {
  if (typeof value === 'string') {
    return value === alice.arn && /^.Statement.(Not)?Principal.AWS$/.test(path) ? alice.principalId : value
  }
  if (Array.isArray(value)) return value.map(item => withoutAlice(item, path))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([member, item]) => [member, withoutAlice(item, `${path}.${member}`)]),
  )
}
