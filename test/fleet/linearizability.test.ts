import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { kmsModel, type Request, type State } from './kms-model.ts'
import { check, type Model, type Operation } from './linearizability.ts'

const model = kmsModel(['k1', 'k2'])
const never = Number.POSITIVE_INFINITY

/** `[called, returned, request, output]`; without an output, it is unknown. */
type Written = readonly [number, number, Request, string?]

function history(...operations: readonly Written[]): Operation<Request>[] {
  return operations.map(([called, returned, input, output]) => ({ called, returned, input, output }))
}

const encrypt: Request = { name: 'Encrypt', key: 'k1', by: 'administrator' }
const userEncrypt: Request = { name: 'Encrypt', key: 'k1', by: 'user' }
const describeKey: Request = { name: 'DescribeKey', key: 'k1', by: 'administrator' }
const byAlias: Request = { name: 'DescribeKey', key: 'alias/a', by: 'administrator' }
const disable: Request = { name: 'DisableKey', key: 'k1' }
const enable: Request = { name: 'EnableKey', key: 'k1' }
const allow: Request = { name: 'PutKeyPolicy', key: 'k1', allows: true }
const forbid: Request = { name: 'PutKeyPolicy', key: 'k1', allows: false }
const createGrant: Request = { name: 'CreateGrant', grant: 'g', key: 'k1', by: 'administrator' }
const revokeGrant: Request = { name: 'RevokeGrant', grant: 'g', key: 'k1', by: 'administrator' }
const retireGrant: Request = { name: 'RetireGrant', grant: 'g', key: 'k1', by: 'user' }
const listGrants: Request = { name: 'ListGrants', key: 'k1' }
const alias = (name: 'CreateAlias' | 'UpdateAlias', key: string): Request => ({ name, alias: 'alias/a', key })

const linearizable: Record<string, Written[]> = {
  'of one operation after another': [
    [0, 1, encrypt, 'k1'],
    [2, 3, disable, 'ok'],
    [4, 5, encrypt, 'DisabledException'],
    [6, 7, enable, 'ok'],
    [8, 9, encrypt, 'k1'],
  ],
  'in which a use succeeds while the key is being disabled': [
    [0, 5, disable, 'ok'],
    [1, 2, encrypt, 'k1'],
    [3, 4, encrypt, 'DisabledException'],
  ],
  'whose change of unknown outcome never took effect': [
    [0, never, disable],
    [1, 2, encrypt, 'k1'],
    [100, 101, encrypt, 'k1'],
  ],
  'whose change of unknown outcome took effect late': [
    [0, never, disable],
    [1, 2, encrypt, 'k1'],
    [100, 101, encrypt, 'DisabledException'],
  ],
  'in which two changes of unknown outcome took effect in either order': [
    [0, never, disable],
    [0, never, enable],
    [1, 2, encrypt, 'DisabledException'],
    [3, 4, encrypt, 'k1'],
  ],
  'in which the later of two concurrent changes had no effect before the earlier one': [
    [0, 9, enable, 'ok'],
    [0, 9, disable, 'ok'],
    [10, 11, encrypt, 'k1'],
  ],
  'in which a grant is used while it is being revoked': [
    [0, 1, createGrant, 'ok'],
    [2, 9, revokeGrant, 'ok'],
    [3, 4, userEncrypt, 'k1'],
    [5, 6, userEncrypt, 'AccessDeniedException'],
    [7, 8, listGrants, ''],
  ],
  'in which one of two concurrent creations of an alias is refused': [
    [0, 5, alias('CreateAlias', 'k1'), 'AlreadyExistsException'],
    [0, 5, alias('CreateAlias', 'k2'), 'ok'],
    [6, 7, byAlias, 'k2 Enabled'],
  ],
}

const refused: Record<string, Written[]> = {
  'stale read after an answered change': [
    [0, 1, disable, 'ok'],
    [2, 3, describeKey, 'k1 Enabled'],
  ],
  'use after the answer that disabled the key': [
    [0, 1, disable, 'ok'],
    [2, 3, encrypt, 'k1'],
  ],
  'use after the answer that scheduled the deletion of the key': [
    [0, 1, { name: 'ScheduleKeyDeletion', key: 'k1' }, 'ok'],
    [2, 3, encrypt, 'k1'],
  ],
  'old state after the new one was seen, during the change': [
    [0, 9, disable, 'ok'],
    [1, 2, describeKey, 'k1 Disabled'],
    [3, 4, describeKey, 'k1 Enabled'],
  ],
  'old state after the new one was seen, with the outcome of the change unknown': [
    [0, never, disable],
    [1, 2, encrypt, 'DisabledException'],
    [3, 4, encrypt, 'k1'],
  ],
  'two readers that see two changes in different orders': [
    [0, 9, alias('CreateAlias', 'k1'), 'ok'],
    [0, 9, createGrant, 'ok'],
    [1, 2, byAlias, 'k1 Enabled'],
    [3, 4, listGrants, ''],
    [1, 2, listGrants, 'g'],
    [3, 4, byAlias, 'NotFoundException'],
  ],
  'lost update': [
    [0, 1, allow, 'ok'],
    [2, 3, disable, 'ok'],
    [4, 5, userEncrypt, 'AccessDeniedException'],
  ],
  'alias that two creations took': [
    [0, 5, alias('CreateAlias', 'k1'), 'ok'],
    [0, 5, alias('CreateAlias', 'k2'), 'ok'],
  ],
  'alias that leads to its former key': [
    [0, 1, alias('CreateAlias', 'k1'), 'ok'],
    [2, 3, alias('UpdateAlias', 'k2'), 'ok'],
    [4, 5, byAlias, 'k1 Enabled'],
  ],
  'use by a policy that was replaced': [
    [0, 1, allow, 'ok'],
    [2, 3, userEncrypt, 'k1'],
    [4, 5, forbid, 'ok'],
    [6, 7, userEncrypt, 'k1'],
  ],
  'resurrected grant': [
    [0, 1, createGrant, 'ok'],
    [2, 3, revokeGrant, 'ok'],
    [4, 5, userEncrypt, 'AccessDeniedException'],
    [6, 7, userEncrypt, 'k1'],
  ],
  'grant that is revoked and retired': [
    [0, 1, createGrant, 'ok'],
    [2, 9, revokeGrant, 'ok'],
    [2, 9, retireGrant, 'ok'],
  ],
  'effect of a change that no request asked for': [[0, 1, describeKey, 'k1 Disabled']],
  'effect before the request': [
    [0, 1, describeKey, 'k1 Disabled'],
    [2, never, disable],
  ],
  'effect of a change of unknown outcome that comes twice': [
    [0, never, disable],
    [1, 2, encrypt, 'DisabledException'],
    [3, 4, enable, 'ok'],
    [5, 6, encrypt, 'DisabledException'],
  ],
}

describe('a history is linearizable', () => {
  it.each(Object.entries(linearizable))('%s', (_, written) => {
    const operations = history(...written)
    const { linearizable, order } = check(model, operations)
    expect(linearizable).toBe(true)
    expectLegal(model, operations, order)
  })
})

describe('a history is not linearizable: a', () => {
  it.each(Object.entries(refused))('%s', (_, written) => {
    const { linearizable, stuck } = check(model, history(...written))
    expect(linearizable).toBe(false)
    expect(stuck).not.toEqual([])
  })
})

/** Each operation answers in this order what it did, and none stands before one that had returned before it was called. */
function expectLegal(
  model: Model<State, Request>,
  operations: Operation<Request>[],
  order: readonly Operation<Request>[],
) {
  let state = model.initial
  for (const [index, { input, output, returned }] of order.entries()) {
    const applied = model.apply(state, input)
    if (output !== undefined) expect(applied.output).toBe(output)
    expect(order.slice(0, index).every(earlier => earlier.called <= returned)).toBe(true)
    state = applied.next
  }
  expect(operations.filter(one => one.output !== undefined && !order.includes(one))).toEqual([])
}

const key = fc.constantFrom('k1', 'k2')
const by = fc.constantFrom('administrator' as const, 'user' as const)
const anyRequest = fc.oneof(
  fc.record({
    name: fc.constantFrom('DescribeKey' as const, 'Encrypt', 'Decrypt'),
    key: fc.oneof(key, fc.constant('alias/a')),
    by,
  }),
  fc.record({ name: fc.constantFrom('EnableKey', 'DisableKey', 'ScheduleKeyDeletion', 'CancelKeyDeletion'), key }),
  fc.record({ name: fc.constant('PutKeyPolicy'), key, allows: fc.boolean() }),
  fc.record({ name: fc.constantFrom('GetKeyPolicy', 'ListGrants', 'ListAliases'), key }),
  fc.record({ name: fc.constantFrom('CreateAlias', 'UpdateAlias', 'DeleteAlias'), alias: fc.constant('alias/a'), key }),
  fc.record({
    name: fc.constantFrom('CreateGrant', 'RevokeGrant', 'RetireGrant'),
    grant: fc.constant('g'),
    key: fc.constant('k1'),
    by,
  }),
)

/** What a gateway that does one request at a time answers to clients that call early and have their answers late. */
function recorded(steps: readonly { request: Request; early: number; late: number; isLost: boolean }[]) {
  let state = model.initial
  return steps.map(({ request, early, late, isLost }, index): Operation<Request> => {
    const { output, next } = model.apply(state, request)
    state = next
    const called = index - early
    return isLost
      ? { input: request, output: undefined, called, returned: never }
      : { input: request, output, called, returned: index + late }
  })
}

const steps = (maxLength: number) =>
  fc.array(
    fc.record({
      request: anyRequest,
      early: fc.double({ min: 0, max: 4, noNaN: true }),
      late: fc.double({ min: 0, max: 4, noNaN: true }),
      isLost: fc.nat(5).map(number => number === 0),
    }),
    { minLength: 1, maxLength },
  )

/** By every order of every choice of the operations. */
function bruteForce(operations: readonly Operation<Request>[], state = model.initial): boolean {
  if (operations.every(({ output }) => output === undefined)) return true
  return operations.some((one, index) => {
    const others = operations.toSpliced(index, 1)
    if (others.some(({ returned }) => returned < one.called)) return false
    const { output, next } = model.apply(state, one.input)
    return (one.output === undefined || one.output === output) && bruteForce(others, next)
  })
}

const outputs = [
  'ok',
  'k1',
  'k2',
  'k1 Enabled',
  'k1 Disabled',
  'g',
  '',
  'DisabledException',
  'NotFoundException',
  'AccessDeniedException',
]

describe('random histories', () => {
  it('are accepted as a gateway that does one request at a time answers them', () => {
    fc.assert(
      fc.property(steps(60), taken => {
        const operations = recorded(taken)
        const { linearizable, order } = check(model, operations)
        expect(linearizable).toBe(true)
        expectLegal(model, operations, order)
      }),
      { numRuns: 500 },
    )
  })

  it('are accepted or refused as by trying every order, with one output changed', () => {
    let refusals = 0
    fc.assert(
      fc.property(steps(6), fc.nat(5), fc.constantFrom(...outputs), (taken, index, output) => {
        const operations = recorded(taken)
        const changed = operations[index % operations.length]!
        if (changed.output !== undefined) operations[index % operations.length] = { ...changed, output }
        const expected = bruteForce(operations)
        if (!expected) refusals++
        expect(check(model, operations).linearizable).toBe(expected)
      }),
      { numRuns: 1000 },
    )
    expect(refusals).toBeGreaterThan(100)
  })
})
