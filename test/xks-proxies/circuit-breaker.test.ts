import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CircuitBreaker } from '../../src/xks-proxies/circuit-breaker.ts'

describe('a circuit breaker', () => {
  const opened = () => {
    const clock = { now: 0 }
    const breaker = new CircuitBreaker(() => clock.now)
    for (let count = 0; count < 5; count++) {
      expect(breaker.admit()).toBe(true)
      breaker.failed()
    }
    return { clock, breaker }
  }

  it('opens after 5 consecutive failures, and not before', () => {
    const breaker = new CircuitBreaker(() => 0)
    for (let count = 0; count < 4; count++) breaker.failed()
    breaker.succeeded()
    for (let count = 0; count < 4; count++) breaker.failed()
    expect(breaker.state).toBe('closed')
    breaker.failed()
    expect(breaker).toMatchObject({ state: 'open' })
    expect(breaker.admit()).toBe(false)
  })

  it('lets one call try after a second, whose success closes it', () => {
    const { clock, breaker } = opened()
    clock.now = 999
    expect(breaker.admit()).toBe(false)
    clock.now = 1000
    expect(breaker.state).toBe('half_open')
    expect([breaker.admit(), breaker.admit(), breaker.admit()]).toEqual([true, false, false])
    breaker.succeeded()
    expect([breaker.state, breaker.admit(), breaker.admit()]).toEqual(['closed', true, true])
  })

  it('stays open for another second after one that fails', () => {
    const { clock, breaker } = opened()
    clock.now = 1000
    breaker.admit()
    breaker.failed()
    expect([breaker.state, breaker.admit()]).toEqual(['open', false])
    clock.now = 2000
    expect(breaker.admit()).toBe(true)
  })

  it('always admits a call again, whatever happened before', () => {
    const step = fc.constantFrom('admit', 'succeeded', 'failed', 'wait')
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const clock = { now: 0 }
        const breaker = new CircuitBreaker(() => clock.now)
        let running = 0
        for (const step of steps) {
          if (step === 'wait') clock.now += 400
          else if (step === 'admit') running += breaker.admit() ? 1 : 0
          else if (running > 0) {
            running--
            breaker[step]()
          }
        }
        for (; running > 0; running--) breaker.failed()
        clock.now += 1000
        expect(breaker.admit()).toBe(true)
      }),
    )
  })
})
