import fc from 'fast-check'
import { expect, it } from 'vitest'
import { eventId, timeOfEvent } from '../../src/audit/event-id.ts'

/** Of 48 bits, as RFC 9562 has it. */
const times = fc.integer({ min: 0, max: 2 ** 48 - 1 })

it('makes IDs that are UUIDs of version 7, and differ', () => {
  const uuid7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
  fc.assert(
    fc.property(times, time => {
      const [one, other] = [eventId(time), eventId(time)]
      return uuid7.test(one) && uuid7.test(other) && one !== other
    }),
  )
})

it('reads the time of an event from its ID', () => {
  fc.assert(fc.property(times, time => timeOfEvent(eventId(time)) === time))
  // RFC 9562, appendix A.6.
  expect(timeOfEvent('017f22e2-79b0-7cc3-98c4-dc0c0c07398f')).toBe(0x17f22e279b0)
})

it('orders IDs as their times', () => {
  fc.assert(fc.property(times, times, (one, other) => one >= other || eventId(one) < eventId(other)))
})

it.each([
  '',
  'no-uuid',
  '919108f7-52d1-4320-9bac-f847db4148a8',
  '017F22E2-79B0-7CC3-98C4-DC0C0C07398F',
  '017f22e2-79b0-7cc3-c8c4-dc0c0c07398f',
  ' 017f22e2-79b0-7cc3-98c4-dc0c0c07398f',
  '017f22e2-79b0-7cc3-98c4-dc0c0c07398f\n',
])('reads no time from an ID of another kind: %j', id => {
  expect(timeOfEvent(id)).toBeUndefined()
})
