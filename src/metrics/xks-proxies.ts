/** The XKS proxies of external key stores: what CloudWatch has as XksProxyErrors, XksProxyLatency, XksProxyCertificateDaysToExpire and XksExternalKeyManagerStates. */
import { Gauge, type Registry } from 'prom-client'
import type { XksProxyMetrics, XksProxyState } from '../services.ts'
import { Tally } from './tally.ts'

const breakerStates: readonly XksProxyState['breaker'][] = ['closed', 'open', 'half_open']
const healths: readonly XksProxyState['managers'][number][] = ['ACTIVE', 'DEGRADED', 'UNAVAILABLE']

/** @param proxies read at each scrape */
export function xksProxyMetrics(registry: Registry, proxies: () => readonly XksProxyState[]): XksProxyMetrics {
  const calls = new Tally(registry, ['store', 'operation'], {
    total: 'strongroom_xks_proxy_calls_total',
    totalHelp: 'Calls to XKS proxies by custom key store, operation and outcome: success or the reason of the failure',
    outcome: 'outcome',
    duration: 'strongroom_xks_proxy_call_duration_seconds',
    durationHelp: 'Time of a call to an XKS proxy, repetition included',
  })
  const gauge = (name: string, help: string, labelNames: readonly string[], collect: (gauge: Gauge) => void) =>
    new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      collect() {
        this.reset()
        collect(this)
      },
    })
  gauge(
    'strongroom_xks_proxy_circuit_breaker_state',
    '1 for the current state of the circuit breaker of an XKS proxy, 0 for the others',
    ['store', 'state'],
    gauge => {
      for (const { store, breaker } of proxies())
        for (const state of breakerStates) gauge.set({ store, state }, state === breaker ? 1 : 0)
    },
  )
  gauge(
    'strongroom_xks_external_key_managers',
    'External key managers behind an XKS proxy by health, as its last health response had it',
    ['store', 'health'],
    gauge => {
      for (const { store, managers } of proxies())
        for (const health of healths)
          gauge.set({ store, health: health.toLowerCase() }, managers.filter(found => found === health).length)
    },
  )
  gauge(
    'strongroom_xks_proxy_certificate_expiry_timestamp_seconds',
    'When the certificate of an XKS proxy expires',
    ['store'],
    gauge => {
      for (const { store, certificateExpiry } of proxies())
        if (certificateExpiry !== undefined) gauge.set({ store }, certificateExpiry / 1000)
    },
  )
  return {
    xksProxyCall: ({ store, operation, outcome, seconds }) =>
      calls.count(store, operation, snakeCase(outcome), seconds),
    xksProxyClosed: store => calls.forget(store),
  }
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
}
