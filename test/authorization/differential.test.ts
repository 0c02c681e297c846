import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Failed, Reason } from '../../src/authorization/explain.ts'
import { runs } from '../thorough.ts'
import { decided, simulated } from './engine.ts'
import { isConditionMet } from './naive-conditions.ts'
import { evaluate, matches, type Question } from './naive-evaluator.ts'
import { listOf, type Policy, type Statement } from './naive-text.ts'
import { operators, questionsFrom, size } from './random-questions.ts'

const pairs = fc.noBias(fc.uint8Array({ minLength: size, maxLength: size })).map(questionsFrom)

/** How often each thing occurs in many questions. */
class Tally {
  readonly #counts = new Map<string, number>()

  add(thing: string): void {
    this.#counts.set(thing, (this.#counts.get(thing) ?? 0) + 1)
  }

  of(thing: string): number {
    return this.#counts.get(thing) ?? 0
  }
}

function policiesOf(question: Question): Policy[] {
  const { resourcePolicy, identityPolicies = [], permissionsBoundary, sessionPolicy } = question
  return [resourcePolicy, ...identityPolicies, permissionsBoundary, sessionPolicy].filter(
    policy => policy !== undefined,
  )
}

/** Counts each comparison of the conditions of a question by operator, set operator, suffix and outcome. */
function tallyConditions(question: Question, tally: Tally): void {
  for (const policy of policiesOf(question)) {
    for (const { Condition = {} } of listOf(policy.Statement)) {
      for (const [name, keys] of Object.entries(Condition)) {
        const [, set = 'no set operator', operator, suffix = 'no suffix'] = /^(?:(For\w+):)?(.+?)(IfExists)?$/.exec(
          name,
        )!
        for (const [key, values] of Object.entries(keys)) {
          const condition = { Effect: 'Allow', Condition: { [name]: { [key]: values } } } as const
          const isMet = isConditionMet(condition, policy, question.request.context!) ? 'met' : 'not met'
          for (const thing of [operator, `${set}, ${suffix}`]) tally.add(`${thing}: ${isMet}`)
        }
      }
    }
  }
}

/** The statement that a reason names matches the request, or what the reason says has failed does not. */
function expectTrue({ policy: kind, index = 0, statement, failed }: Reason, question: Question): void {
  if (!statement) return
  const { resourcePolicy, identityPolicies, permissionsBoundary, sessionPolicy } = question
  const kinds = {
    resource: resourcePolicy,
    identity: identityPolicies?.[index],
    boundary: permissionsBoundary,
    session: sessionPolicy,
    grant: undefined,
  }
  const policy = kinds[kind]!
  const named = listOf(policy.Statement)[statement.position - 1]!
  expect(named.Effect).toBe(statement.effect)
  expect(matches(named, policy, question)).toBe(failed === undefined)
  if (failed) expect(matches({ ...everything(kind), ...elementOf(named, failed) }, policy, question)).toBe(false)
}

/** A statement that matches every request. */
function everything(kind: Reason['policy']): Statement {
  return { Effect: 'Allow', Action: '*', Resource: '*', ...(kind === 'resource' && { Principal: '*' }) }
}

/** The element of a statement that has failed, in the place of what would match. Of a condition, the line that has failed. */
function elementOf(statement: Statement, { element, operator, key }: Failed): Partial<Statement> {
  const values = statement.Condition?.[operator ?? '']?.[key ?? '']
  if (element === 'Condition' && values !== undefined) return { Condition: { [operator!]: { [key!]: values } } }
  const { Effect } = statement
  return {
    ...Object.fromEntries([element, `Not${element}`].map(name => [name, statement[name as keyof Statement]])),
    Effect,
  }
}

describe('the policy engine', () => {
  it('decides random requests as the naive evaluator does', { timeout: 120_000 }, () => {
    const tally = new Tally()
    fc.assert(
      fc.property(pairs, ({ questions, grantee }) => {
        for (const question of questions) {
          const outcome = evaluate(question, grantee)
          tally.add(outcome)
          expect(question.resourcePolicy ? decided(question, grantee) : simulated(question).decision).toBe(outcome)
        }
      }),
      { numRuns: runs(10_000) },
    )
    expect(tally.of('Allow')).toBeGreaterThan(runs(2_000))
    expect(tally.of('ExplicitDeny')).toBeGreaterThan(runs(1_000))
    expect(tally.of('ImplicitDeny')).toBeGreaterThan(runs(2_000))
  })

  it('gives reasons that are true', { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(pairs, ({ questions: [question] }) => {
        const { decision, reasons } = simulated(question)
        for (const reason of reasons) expectTrue(reason, question)
        const effects = reasons.filter(({ failed }) => !failed).map(({ statement }) => statement?.effect)
        if (decision === 'ExplicitDeny') expect(new Set(effects)).toEqual(new Set(['Deny']))
        else expect(effects).not.toContain('Deny')
        if (decision === 'Allow' && !question.request.principal.endsWith(':root')) expect(effects).toContain('Allow')
        expect(reasons).not.toEqual([])
      }),
      { numRuns: runs(2_000) },
    )
  })
})

describe('the random requests', () => {
  it('meet every operator often, and often do not', () => {
    const tally = new Tally()
    for (const { questions } of fc.sample(pairs, 3_000))
      for (const question of questions) tallyConditions(question, tally)

    // The rarest outcome, of DateLessThan, occurs 95 times with a standard deviation of 9.
    for (const operator of operators) {
      expect(tally.of(`${operator}: met`), operator).toBeGreaterThan(25)
      expect(tally.of(`${operator}: not met`), operator).toBeGreaterThan(25)
    }
    for (const set of ['no set operator', 'ForAllValues', 'ForAnyValue']) {
      for (const suffix of ['no suffix', 'IfExists']) {
        expect(tally.of(`${set}, ${suffix}: met`), `${set} ${suffix}`).toBeGreaterThan(50)
        expect(tally.of(`${set}, ${suffix}: not met`), `${set} ${suffix}`).toBeGreaterThan(50)
      }
    }
  })
})
