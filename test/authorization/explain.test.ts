import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decide, evaluate } from '../../src/authorization/decide.ts'
import { explain } from '../../src/authorization/explain.ts'
import type { AccessRequest, FittingGrant, Policies } from '../../src/authorization/request.ts'
import { simulate } from '../../src/authorization/simulate.ts'
import { documentedCases } from './cases/all.ts'

const account = '111122223333'
const other = '444455556666'
const role = `arn:aws:iam::${account}:role/app`
const alice = `arn:aws:iam::${account}:user/alice`
const bob = `arn:aws:iam::${other}:user/bob`
const session = `arn:aws:sts::${account}:assumed-role/app/worker-1`
const key = `arn:aws:kms:eu-west-1:${account}:key/1234abcd-12ab-34cd-56ef-1234567890ab`

const policy = (...Statement: object[]) => JSON.stringify({ Version: '2012-10-17', Statement })
const statement = (change: object = {}) => ({ Effect: 'Allow', Action: 'kms:*', Resource: '*', ...change })
const named = (AWS: string | string[], change: object = {}) => statement({ Principal: { AWS }, ...change })

function requestOf(arn: string, context: Record<string, readonly string[]> = {}): AccessRequest {
  const owner = arn.split(':')[4]!
  const principal = { arn, account: owner, principalId: 'AIDANEW', ...(arn === session && { roleArn: role }) }
  return { principal, action: 'kms:Decrypt', resource: key, account, context: name => context[name] }
}

const texts = (request: AccessRequest, policies: Policies) => explain(request, policies).map(({ text }) => text)

describe('explain', () => {
  it('tells each statement that denies, by its policy, position and Sid, and nothing else', () => {
    const policies: Policies = {
      identity: [
        policy(statement()),
        policy(statement(), statement({ Effect: 'Deny', Sid: 'NoDecrypt', Action: 'kms:Decrypt' })),
      ],
      resource: { text: policy(named('*'), named('*', { Effect: 'Deny' }), named(bob, { Effect: 'Deny' })) },
      boundary: policy(statement({ Effect: 'Deny' })),
    }
    expect(explain(requestOf(alice), policies)).toEqual([
      {
        policy: 'resource',
        statement: { position: 2, effect: 'Deny' },
        text: 'Statement 2 of the resource-based policy denies the action.',
      },
      {
        policy: 'identity',
        index: 1,
        statement: { position: 2, sid: 'NoDecrypt', effect: 'Deny' },
        text: 'Statement 2 (NoDecrypt) of identity-based policy 2 denies the action.',
      },
      {
        policy: 'boundary',
        statement: { position: 1, effect: 'Deny' },
        text: 'Statement 1 of the permissions boundary denies the action.',
      },
    ])
  })

  it('tells which condition failed, on which value', () => {
    const Condition = { StringEquals: { 'kms:EncryptionContext:app': ['orders', 'billing'] } }
    const policies = { identity: [], resource: { text: policy(named(alice, { Sid: 'Use', Condition })) } }
    const [silent, nearly] = explain(requestOf(alice, { 'kms:encryptioncontext:app': ['salary'] }), policies)
    expect(silent).toEqual({ policy: 'resource', text: `No resource-based policy allows kms:Decrypt on ${key}.` })
    expect(nearly).toEqual({
      policy: 'resource',
      statement: { position: 1, sid: 'Use', effect: 'Allow' },
      failed: {
        element: 'Condition',
        operator: 'StringEquals',
        key: 'kms:EncryptionContext:app',
        expected: ['orders', 'billing'],
        actual: ['salary'],
      },
      text: 'Statement 1 (Use) of the resource-based policy does not apply: its condition StringEquals kms:EncryptionContext:app = ["orders", "billing"] does not hold; the request has ["salary"].',
    })
    expect(texts(requestOf(alice), policies)[1]).toMatch(/does not hold; the request has no such key\.$/)
  })

  it('tells which element failed of the statements about the action, and is silent about others', () => {
    const policies = {
      identity: [],
      resource: {
        text: policy(
          named(bob),
          named(alice, { Resource: 'arn:aws:kms:*:*:key/x' }),
          named(alice, { Action: 'kms:Encrypt' }),
          // biome-ignore lint/suspicious/noTemplateCurlyInString: a policy variable
          named(alice, { Resource: 'arn:aws:kms:*:*:key/${aws:PrincipalTag/key}' }),
        ),
      },
    }
    expect(texts(requestOf(alice), policies)).toEqual([
      `No resource-based policy allows kms:Decrypt on ${key}.`,
      `Statement 1 of the resource-based policy does not apply: its Principal does not match ["${alice}"].`,
      `Statement 2 of the resource-based policy does not apply: its Resource does not match ["${key}"].`,
      'Statement 4 of the resource-based policy does not apply: the variable aws:principaltag/key of its Resource has no value in the request, several, or one that is too long.',
    ])
  })

  it('tells the side that says nothing first, and then what the others allow', () => {
    const resource = { text: policy(named(account)) }
    const delegates = `Statement 1 of the resource-based policy allows the action to account ${account}, whose identity-based policies decide.`
    expect(texts(requestOf(alice), { identity: [], resource })).toEqual([
      `No identity-based policy allows kms:Decrypt on ${key}.`,
      delegates,
    ])
    expect(
      texts(requestOf(session), {
        identity: [policy(statement())],
        session: [policy(statement({ Action: 'kms:Encrypt' }))],
        resource,
      }),
    ).toEqual([
      `No session policy allows kms:Decrypt on ${key}.`,
      delegates,
      'Statement 1 of identity-based policy 1 allows the action.',
    ])
    expect(texts(requestOf(bob), { identity: [], resource: { text: policy(named(bob)) } })[0]).toMatch(
      /^No identity-based/,
    )
  })

  it('tells a principal that was deleted since from one that was never named', () => {
    const resource = { text: policy(named([alice, role])), principalIds: { [alice]: 'AIDAOLD', [role]: 'AROAOLD' } }
    for (const arn of [alice, session]) {
      expect(texts(requestOf(arn), { identity: [], resource })[1]).toBe(
        'Statement 1 of the resource-based policy does not apply: its Principal is a user or role that was deleted; the one of the same name was created later.',
      )
    }
  })

  it('does not blame a policy that has no say', () => {
    expect(explain({ ...requestOf(bob), action: 'kms:PutKeyPolicy' }, { identity: [policy(statement())] })).toEqual([
      { policy: 'resource', text: `No policy of ${key} allows kms:PutKeyPolicy to another account.` },
    ])
  })

  it('tells a policy that cannot be read', () => {
    expect(
      texts(requestOf(alice), { identity: [policy(statement()), '{'], resource: { text: policy(named('*')) } }),
    ).toEqual([
      expect.stringMatching(
        /^Identity-based policy 2 cannot be read and denies everything: .* invalid Json: .* position 1/,
      ),
    ])
  })

  it('tells the grant', () => {
    const grant = (): FittingGrant => ({ id: 'abc', grantee: 'role' })
    const resource = { text: policy(named(bob)) }
    expect(texts(requestOf(session), { identity: [], resource, grant })).toEqual([
      "Grant abc allows the action to the caller's role.",
    ])
    const [first, second] = texts(requestOf(session), {
      identity: [],
      resource,
      grant,
      session: [policy(statement({ Action: 'kms:Sign' }))],
    })
    expect([first, second]).toEqual([
      `No session policy allows kms:Decrypt on ${key}.`,
      "Grant abc allows the action to the caller's role.",
    ])
  })

  it('stays short for a long policy with long values', () => {
    const long = 'x'.repeat(1000)
    const Condition = { StringEquals: { k: Array(20).fill(long) } }
    const resource = { text: policy(...Array(500).fill(named(alice, { Sid: long, Condition }))) }
    const reasons = texts(requestOf(alice, { k: Array(500).fill('y'.repeat(1000)) }), { identity: [], resource })
    expect(reasons.length).toBe(11)
    for (const text of reasons) expect(text.length).toBeLessThan(2000)
  })

  it('agrees with the decision, in every documented case', () => {
    for (const { title, source: _source, decision, ...question } of Object.values(documentedCases).flat()) {
      const { reasons } = simulate(JSON.stringify(question))
      expect(reasons.length).toBeGreaterThan(0)
      const denies = reasons.some(({ statement, failed }) => statement?.effect === 'Deny' && !failed)
      expect(denies, title).toBe(decision === 'ExplicitDeny')
      if (decision === 'ImplicitDeny') expect(reasons[0]!.text, title).toMatch(/^No .* allows /)
      if (decision === 'Allow')
        expect(
          reasons.every(({ failed }) => !failed),
          title,
        ).toBe(true)
    }
  })

  it('agrees with the decision, whatever the policies', () => {
    const principal = fc.constantFrom('*', account, other, alice, bob, role, session)
    const statements = fc.array(
      fc.record({
        Effect: fc.constantFrom('Allow', 'Allow', 'Deny'),
        Action: fc.constantFrom('kms:*', 'kms:Decrypt', 'kms:Encrypt'),
        Resource: fc.constantFrom('*', key, 'arn:x'),
        Condition: fc.constantFrom(undefined, undefined, { StringEquals: { k: 'a' } }, { Unknown: { k: 'a' } }),
      }),
      { minLength: 1, maxLength: 3 },
    )
    const identity = statements.map(made => policy(...made))
    const resource = fc
      .tuple(statements, fc.array(principal, { minLength: 3, maxLength: 3 }), fc.boolean())
      .map(([made, names, negated]) => ({
        text: policy(
          ...made.map((one, i) => ({ ...one, [negated ? 'NotPrincipal' : 'Principal']: { AWS: names[i] } })),
        ),
      }))
    const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })
    const grantee = fc.constantFrom<FittingGrant['grantee']>('caller', 'role', 'account')
    fc.assert(
      fc.property(
        fc.constantFrom(alice, bob, session),
        fc.array(identity, { maxLength: 2 }),
        maybe(identity),
        maybe(fc.array(identity, { minLength: 1, maxLength: 2 })),
        maybe(resource),
        maybe(grantee),
        (arn, identity, boundary, session, resource, grantee) => {
          const request = requestOf(arn, { k: ['a'] })
          const grant = grantee && (() => ({ id: 'g', grantee }))
          const policies: Policies = { identity, boundary, session, resource, grant }
          const decision = decide(request, policies)
          const reasons = explain(request, policies)
          const applying = reasons.filter(({ statement, failed }) => statement && !failed)
          const denies = applying.some(({ statement }) => statement!.effect === 'Deny')
          expect(denies).toBe(decision.outcome === 'ExplicitDeny')
          expect(reasons.some(({ text }) => text.startsWith('No '))).toBe(decision.outcome === 'ImplicitDeny')
          // What is said to be silent is silent, and what is said to allow does.
          const { verdicts } = evaluate(request, policies)
          for (const { policy, text } of reasons) {
            if (policy === 'grant' || denies) continue
            const verdict = policy === 'resource' ? verdicts.resource : verdicts[policy]
            if (text.startsWith('No ')) expect(['silent', 'no policy']).toContain(verdict)
            else if (text.includes(' allows ')) expect(verdict).toMatch(/^allows/)
          }
        },
      ),
      { numRuns: 2000 },
    )
  })
})
