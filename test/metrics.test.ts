import fc from 'fast-check'
import { Counter, Histogram, Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { createMetrics } from '../src/metrics.ts'
import { alone } from '../src/storage/fleet/alone.ts'

/** The lines of some metrics, whose labels may be in any order. */
function series(text: string, name: RegExp): readonly string[] {
  const lines = text.split('\n').filter(line => name.test(line) && !line.startsWith('#'))
  return lines.map(line => line.replace(/\{(.*)\}/, (_, labels: string) => `{${labels.split(',').sort()}}`)).sort()
}

const buckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

const call = fc.record({
  hsm: fc.constantFrom('first', 'second/member'),
  operation: fc.constantFrom('encrypt', 'generateMac' as const),
  returnCode: fc.constantFrom('CKR_OK', 'timeout', 'a "quoted"\\ code'),
  // At, just above and just below each bound, too.
  seconds: fc.oneof(
    fc.double({ min: 0, max: 10, noNaN: true }),
    fc.constantFrom(...buckets),
    fc.constantFrom(...buckets).map(bound => bound + Number.EPSILON * bound),
    fc.constantFrom(...buckets).map(bound => bound - Number.EPSILON * bound),
  ),
})

describe('HSM calls', () => {
  it('are counted as prom-client counts them', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(call, { maxLength: 40 }), async calls => {
        const metrics = createMetrics(() => [])
        const registry = new Registry()
        const registers = [registry]
        const labelNames = ['hsm', 'operation']
        const [total, duration] = ['strongroom_hsm_calls_total', 'strongroom_hsm_call_duration_seconds']
        const counter = new Counter({ name: total, help: '-', labelNames: [...labelNames, 'return_code'], registers })
        const histogram = new Histogram({ name: duration, help: '-', labelNames, buckets, registers })
        for (const { hsm, operation, returnCode, seconds } of calls) {
          metrics.hsmCall({ hsm, operation, returnCode, seconds })
          const labels = { hsm, operation: operation === 'generateMac' ? 'generate_mac' : operation }
          counter.inc({ ...labels, return_code: returnCode })
          histogram.observe(labels, seconds)
        }
        const own = await metrics.text()
        expect(series(own, /^strongroom_hsm_call/)).toEqual(series(await registry.metrics(), /^strongroom_hsm_call/))
        expect(own).toContain(`# TYPE ${total} counter\n`)
        expect(own).toContain(`# TYPE ${duration} histogram\n`)
        // Read again, they are the same: nothing is counted twice.
        expect(series(await metrics.text(), /^strongroom_hsm_call/)).toEqual(series(own, /^strongroom_hsm_call/))
      }),
      { numRuns: 100 },
    )
  })
})

describe('the jobs of a fleet', () => {
  it('run where the lease of them is', async () => {
    const metrics = createMetrics(() => [])
    const jobLease: { fence: number | undefined } = { fence: 7 }
    metrics.watchFleet({ ...alone, gateway: 'a', applied: 0 }, jobLease)
    expect(series(await metrics.text(), /^strongroom_job_lease/)).toEqual(['strongroom_job_lease 1'])
    jobLease.fence = undefined
    expect(series(await metrics.text(), /^strongroom_job_lease/)).toEqual(['strongroom_job_lease 0'])
  })
})

describe('requests', () => {
  it('are counted by API, operation and outcome, those of no operation as none', async () => {
    const metrics = createMetrics(() => [])
    metrics.started('kms')('Encrypt', 'success')
    metrics.started('kms')('Encrypt', 'AccessDeniedException')
    metrics.started('sts')('Encrypt', 'success')
    metrics.started('sts')(undefined, 'IncompleteSignature')
    expect(series(await metrics.text(), /^strongroom_requests_total/)).toEqual([
      'strongroom_requests_total{api="kms",operation="Encrypt",outcome="AccessDeniedException"} 1',
      'strongroom_requests_total{api="kms",operation="Encrypt",outcome="success"} 1',
      'strongroom_requests_total{api="sts",operation="Encrypt",outcome="success"} 1',
      'strongroom_requests_total{api="sts",operation="none",outcome="IncompleteSignature"} 1',
    ])
    expect(series(await metrics.text(), /^strongroom_request_duration_seconds_count/)).toEqual([
      'strongroom_request_duration_seconds_count{api="kms",operation="Encrypt"} 2',
      'strongroom_request_duration_seconds_count{api="sts",operation="Encrypt"} 1',
      'strongroom_request_duration_seconds_count{api="sts",operation="none"} 1',
    ])
  })
})

describe('metered calls', () => {
  const call = { account: '111122223333', keyArn: 'a', operation: 'Encrypt', pairSpec: '', errorCode: '', calls: 2 }

  it('are counted by account and operation, a ReEncrypt once', async () => {
    const metrics = createMetrics(() => [])
    metrics.metered([call, { ...call, keyArn: 'b', errorCode: 'DisabledException' }])
    metrics.metered([call, { ...call, operation: 'ReEncryptFrom' }, { ...call, account: '', operation: '' }])
    expect(series(await metrics.text(), /^strongroom_metered/)).toEqual([
      'strongroom_metered_calls_total{account="111122223333",operation="Encrypt"} 6',
      'strongroom_metered_calls_total{account="none",operation="none"} 2',
    ])
  })

  it('of more than 1000 accounts have no more labels', async () => {
    const metrics = createMetrics(() => [])
    metrics.metered(Array.from({ length: 1500 }, (_, number) => ({ ...call, account: `${number}` })))
    metrics.metered([{ ...call, account: '7' }])
    const lines = series(await metrics.text(), /^strongroom_metered/)
    expect(lines).toHaveLength(1001)
    expect(lines).toContain('strongroom_metered_calls_total{account="7",operation="Encrypt"} 4')
    expect(lines).toContain('strongroom_metered_calls_total{account="other",operation="Encrypt"} 1000')
  })
})

describe('XKS proxies', () => {
  it('are shown with their calls, circuit breaker, external key managers and certificate', async () => {
    const store = 'cks-0123456789abcdef0'
    const state = { store, breaker: 'half_open', managers: ['ACTIVE', 'UNAVAILABLE', 'ACTIVE'] } as const
    const proxies = [{ ...state, certificateExpiry: 1_800_000_000_000 }]
    const metrics = createMetrics(
      () => [],
      undefined,
      () => proxies,
    )
    metrics.xksProxyCall({ store, operation: 'decrypt', outcome: 'timedOut', seconds: 0.5 })
    const label = `store="${store}"`
    const breaker = 'strongroom_xks_proxy_circuit_breaker_state'
    const text = await metrics.text()
    expect(series(text, /^strongroom_xks_(?!proxy_call_duration)/)).toEqual([
      `strongroom_xks_external_key_managers{health="active",${label}} 2`,
      `strongroom_xks_external_key_managers{health="degraded",${label}} 0`,
      `strongroom_xks_external_key_managers{health="unavailable",${label}} 1`,
      `strongroom_xks_proxy_calls_total{operation="decrypt",outcome="timed_out",${label}} 1`,
      `strongroom_xks_proxy_certificate_expiry_timestamp_seconds{${label}} 1800000000`,
      `${breaker}{state="closed",${label}} 0`,
      `${breaker}{state="half_open",${label}} 1`,
      `${breaker}{state="open",${label}} 0`,
    ])
    proxies.length = 0
    expect(series(await metrics.text(), /^strongroom_xks_(?!proxy_call)/)).toEqual([])
    metrics.xksProxyClosed(store)
    expect(await metrics.text()).not.toContain(store)
  })
})
