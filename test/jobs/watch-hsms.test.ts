import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Hsm, HsmHealth } from '../../src/hsm/hsm.ts'
import { watchHsms } from '../../src/jobs/watch-hsms.ts'
import { type Fixture, openFixture } from './fixture.ts'

let fixture: Fixture
let health: Pick<HsmHealth, 'state' | 'reason' | 'members'>
/** Starts the job on an HSM whose health the test sets; what it returns is its run so many milliseconds later. */
function start(): (later?: number) => Promise<void> {
  const hsm = {
    name: 'first',
    get health() {
      return health
    },
  } as Hsm
  const run = watchHsms.start({ ...fixture.services, hsms: { ...fixture.services.hsms, all: [hsm] } })
  return (later = 1000) => {
    fixture.time += later
    return run()
  }
}

const events = () => fixture.records.map(({ eventName, serviceEventDetails }) => [eventName, serviceEventDetails])

beforeAll(async () => {
  fixture = await openFixture()
})
afterAll(() => fixture?.close())
beforeEach(() => {
  fixture.records.length = 0
  health = { state: 'ready' }
})

describe('an HSM', () => {
  it('is on record when it becomes unavailable and when it is available again, each once', async () => {
    const run = start()
    await run()
    health = { state: 'unavailable', reason: 'CKR_DEVICE_REMOVED' }
    for (let second = 0; second < 30; second++) await run()
    health = { state: 'ready' }
    for (let second = 0; second < 30; second++) await run()
    expect(events()).toEqual([
      ['MarkHsmUnavailable', { hsm: 'first', state: 'unavailable', reason: 'CKR_DEVICE_REMOVED', transitions: 1 }],
      ['MarkHsmAvailable', { hsm: 'first', transitions: 1 }],
    ])
    expect(fixture.records[0]).toMatchObject({
      eventSource: 'strongroom',
      eventType: 'AwsServiceEvent',
      readOnly: true,
    })
    expect(fixture.records[0]).toMatchObject({ recipientAccountId: undefined, userIdentity: { accountId: undefined } })
  })

  it('is on record when the reason is another one', async () => {
    const run = start()
    health = { state: 'unavailable', reason: 'no worker' }
    await run()
    health = { state: 'pinRefused', reason: 'CKR_PIN_INCORRECT' }
    await run(10_000)
    expect(events().map(([, details]) => (details as { state: string }).state)).toEqual(['unavailable', 'pinRefused'])
  })

  it('that comes and goes is on record every 10 seconds at most, with how often', async () => {
    const run = start()
    for (let second = 0; second < 60; second++) {
      health = second % 2 === 0 ? { state: 'unavailable' } : { state: 'ready' }
      await run()
    }
    expect(fixture.records.length).toBeLessThanOrEqual(7)
    const counted = fixture.records.map(({ serviceEventDetails }) => serviceEventDetails!.transitions as number)
    await run(10_000)
    const all = fixture.records.map(({ serviceEventDetails }) => serviceEventDetails!.transitions as number)
    expect(all.reduce((sum, count) => sum + count, 0)).toBe(60)
    expect(counted[0]).toBe(1)
  })

  it('is on record later if the audit journal cannot be written, and once', async () => {
    const run = start()
    health = { state: 'unavailable' }
    const { record } = fixture.services.outbox
    fixture.services.outbox.record = async () => Promise.reject(new Error('the disk is full'))
    await expect(run()).rejects.toThrow('the disk is full')
    fixture.services.outbox.record = record
    await run(10_000)
    await run(20_000)
    expect(events()).toHaveLength(1)
  })

  it('of a cluster is on record with the member that is unavailable, also from the start on', async () => {
    const run = start()
    health = {
      state: 'ready',
      members: [
        { name: 'first/a', state: 'ready' },
        { name: 'first/b', state: 'unavailable' },
      ],
    }
    await run()
    health = {
      state: 'ready',
      members: [
        { name: 'first/a', state: 'ready' },
        { name: 'first/b', state: 'ready' },
      ],
    }
    await run(10_000)
    expect(events()).toEqual([
      ['MarkHsmUnavailable', { hsm: 'first/b', state: 'unavailable', reason: undefined, transitions: 1 }],
      ['MarkHsmAvailable', { hsm: 'first/b', transitions: 1 }],
    ])
  })
})
