import { describe, expect, it } from 'vitest'
import {
  isOver,
  isServing,
  nextState,
  takesCalls,
  type WorkerEvent,
  type WorkerState,
  workerEvents,
  workerStates,
} from '../../../src/hsm/pool/worker-state.ts'

/** The next state for each state and event; a dot means no change. */
// biome-ignore format: a table
const expected = `
            start     admit  hear   search     suspect  hang  loseLogin  logIn  end     lose
  spare     starting  .      .      .          .        .     .          .      ending  lost
  starting  .         ready  .      .          .        .     .          .      ending  lost
  ready     .         .      .      searching  suspect  hung  loggingIn  .      ending  lost
  searching .         .      ready  .          .        hung  loggingIn  .      ending  lost
  suspect   .         .      ready  searching  .        hung  loggingIn  .      ending  lost
  loggingIn .         .      .      .          .        hung  .          ready  ending  lost
  hung      .         .      .      .          .        .     .          .      ending  lost
  ending    .         .      .      .          .        .     .          .      .       lost
  lost      .         .      .      .          .        .     .          .      .       .
`

const [events, ...rows] = expected
  .trim()
  .split('\n')
  .map(line => line.trim().split(/\s+/)) as [WorkerEvent[], ...[WorkerState, ...(WorkerState | '.')[]][]]
const pairs = rows.flatMap(([state, ...next]) =>
  events.map((event, i) => ({ state, event, next: next[i] === '.' ? state : next[i] })),
)

describe('a worker', () => {
  it('has every state and event in this table', () => {
    expect(events).toEqual([...workerEvents])
    expect(rows.map(([state]) => state)).toEqual([...workerStates])
    expect(pairs).toHaveLength(workerStates.length * workerEvents.length)
  })

  it.each(pairs)('that is $state is $next after $event', ({ state, event, next }) => {
    expect(nextState(state, event)).toBe(next)
  })

  it('takes calls when it is ready or searching, and serves also while it is silent or logging in', () => {
    expect(workerStates.filter(takesCalls)).toEqual(['ready', 'searching'])
    expect(workerStates.filter(isServing)).toEqual(['ready', 'searching', 'suspect', 'loggingIn'])
    expect(workerStates.filter(isOver)).toEqual(['ending', 'lost'])
  })

  it('can be lost from every state, and never comes back', () => {
    for (const state of workerStates) expect(nextState(state, 'lose')).toBe('lost')
    const reached = new Set<WorkerState>(['lost'])
    for (const state of reached) for (const event of workerEvents) reached.add(nextState(state, event))
    expect([...reached]).toEqual(['lost'])
  })

  it('can reach every state from the first', () => {
    const reached = new Set<WorkerState>(['spare'])
    for (const state of reached) for (const event of workerEvents) reached.add(nextState(state, event))
    expect([...reached].sort()).toEqual([...workerStates].sort())
  })
})
