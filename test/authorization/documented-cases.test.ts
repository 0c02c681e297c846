import { describe, expect, it } from 'vitest'
import { documentedCases } from './cases/all.ts'
import { simulated } from './engine.ts'
import { evaluate } from './naive-evaluator.ts'

const cases = Object.values(documentedCases).flat()

describe('the documented cases', () => {
  it('are at least 200, each with a title of its own and a source', () => {
    expect(cases.length).toBeGreaterThanOrEqual(200)
    expect(new Set(cases.map(({ title }) => title)).size).toBe(cases.length)
    for (const { title, source } of cases)
      expect(source, title).toMatch(/^(?:(?:IAM|KMS|Amazon \w+).* Guide|AWS re:Post|docs\/policies\.md), ./)
  })

  it('have each decision often', () => {
    for (const decision of ['Allow', 'ExplicitDeny', 'ImplicitDeny']) {
      expect(cases.filter(each => each.decision === decision).length, decision).toBeGreaterThan(40)
    }
  })
})

describe.each(Object.entries(documentedCases))('%s', (_, cases) => {
  it.each(cases)('$title', ({ title: _title, source: _source, decision, ...question }) => {
    expect(simulated(question).decision).toBe(decision)
    expect(evaluate(question)).toBe(decision)
  })
})
