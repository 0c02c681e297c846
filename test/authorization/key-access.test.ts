import { describe, expect, it } from 'vitest'
import {
  alice,
  allowKms,
  bob,
  dave,
  decrypt,
  foreignRole,
  foreignRoot,
  foreignSession,
  key,
  policy,
  role,
  root,
  session,
} from './cases/case.ts'
import { decided } from './engine.ts'
import { evaluate, type Grantee, type Outcome, type Question } from './naive-evaluator.ts'
import type { Policy } from './naive-text.ts'

function naming(principal: string): Policy {
  return policy({ Effect: 'Allow', Principal: { AWS: principal }, Action: 'kms:*', Resource: '*' })
}

const identityPolicies = {
  allows: [allowKms],
  'says nothing': [],
  denies: [policy({ Effect: 'Deny', Action: 'kms:Decrypt', Resource: '*' })],
}
type Named = 'the caller' | 'the account' | 'another'

/** What the key policy names, what the identity-based policy says, and the outcome without a grant and with one that names the caller. */
type Row = readonly [named: Named, identity: keyof typeof identityPolicies, without: Outcome, withGrant: Outcome]

const ofOwnAccount: readonly Row[] = [
  ['the caller', 'allows', 'Allow', 'Allow'],
  ['the caller', 'says nothing', 'Allow', 'Allow'],
  ['the caller', 'denies', 'ExplicitDeny', 'ExplicitDeny'],
  ['the account', 'allows', 'Allow', 'Allow'],
  ['the account', 'says nothing', 'ImplicitDeny', 'Allow'],
  ['the account', 'denies', 'ExplicitDeny', 'ExplicitDeny'],
  ['another', 'allows', 'ImplicitDeny', 'Allow'],
  ['another', 'says nothing', 'ImplicitDeny', 'Allow'],
  ['another', 'denies', 'ExplicitDeny', 'ExplicitDeny'],
]

/** The account that the key policy names is the caller's. */
const ofAnotherAccount: readonly Row[] = [
  ['the caller', 'allows', 'Allow', 'Allow'],
  ['the caller', 'says nothing', 'ImplicitDeny', 'Allow'],
  ['the caller', 'denies', 'ExplicitDeny', 'ExplicitDeny'],
  ['the account', 'allows', 'Allow', 'Allow'],
  ['the account', 'says nothing', 'ImplicitDeny', 'Allow'],
  ['the account', 'denies', 'ExplicitDeny', 'ExplicitDeny'],
  ['another', 'allows', 'ImplicitDeny', 'Allow'],
  ['another', 'says nothing', 'ImplicitDeny', 'Allow'],
  ['another', 'denies', 'ExplicitDeny', 'ExplicitDeny'],
]

const callers = [
  ['a user of the own account', alice, ofOwnAccount, { 'the caller': alice, 'the account': root, another: bob }],
  [
    'a user of another account',
    dave,
    ofAnotherAccount,
    { 'the caller': dave, 'the account': foreignRoot, another: alice },
  ],
] as const

describe.each(callers)('access to a key for %s', (_, principal, rows, principals) => {
  describe.each(rows)(
    'if the key policy names %s and the identity-based policy %s',
    (named, identity, without, withGrant) => {
      const question: Question = {
        request: { ...decrypt(), principal },
        resourcePolicy: naming(principals[named]),
        identityPolicies: identityPolicies[identity],
      }

      it(`is ${without} without a grant`, () => {
        expect(decided(question)).toBe(without)
        expect(evaluate(question)).toBe(without)
      })

      it(`is ${withGrant} with a grant that fits`, () => {
        expect(decided(question, 'caller')).toBe(withGrant)
        expect(evaluate(question, 'caller')).toBe(withGrant)
      })
    },
  )
})

/** Whom the grant names, whether a limit allows the request, what the identity-based policy says, and the outcome. */
type LimitedRow = readonly [
  grantee: Grantee,
  allows: boolean,
  identity: keyof typeof identityPolicies,
  outcome: Outcome,
]

const limited: readonly LimitedRow[] = [
  ['caller', true, 'says nothing', 'Allow'],
  ['caller', false, 'says nothing', 'Allow'],
  ['caller', false, 'denies', 'ExplicitDeny'],
  ['role', true, 'says nothing', 'Allow'],
  ['role', false, 'says nothing', 'ImplicitDeny'],
  ['role', false, 'allows', 'ImplicitDeny'],
  ['role', true, 'denies', 'ExplicitDeny'],
  ['account', true, 'allows', 'Allow'],
  ['account', true, 'says nothing', 'ImplicitDeny'],
  ['account', false, 'allows', 'ImplicitDeny'],
  ['account', true, 'denies', 'ExplicitDeny'],
]

const sessions = [
  ['the own account', session, role],
  ['another account', foreignSession, foreignRole],
] as const

describe.each(sessions)('a grant to a session of %s', (_, principal) => {
  describe.each(['permissionsBoundary', 'sessionPolicy'] as const)('with a %s', limit => {
    it.each(limited)(
      'that names the %s, if the limit allows it: %s, and the identity-based policy %s: %s',
      (grantee, allows, identity, outcome) => {
        const question: Question = {
          request: { principal, action: 'kms:Decrypt', resource: key },
          resourcePolicy: naming(bob),
          identityPolicies: identityPolicies[identity],
          [limit]: allows ? allowKms : policy({ Effect: 'Allow', Action: 'kms:DescribeKey', Resource: '*' }),
        }
        expect(decided(question, grantee)).toBe(outcome)
        expect(evaluate(question, grantee)).toBe(outcome)
      },
    )
  })
})
