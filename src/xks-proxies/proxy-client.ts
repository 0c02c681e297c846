/** The proxy of one external key store: its connections, circuit breaker and signatures. */
import { Failure } from '../errors.ts'
import { greatestClockSkew } from '../model/xks/credentials.ts'
import type { HealthStatus } from '../model/xks/messages.ts'
import type { XksOperation } from '../model/xks/uris.ts'
import type { Log, XksProxyMetrics, XksProxyState } from '../services.ts'
import { CircuitBreaker } from './circuit-breaker.ts'
import type { Connection, Response } from './connection.ts'
import { ProxyFailure, type ProxyFailureKind } from './proxy-failure.ts'
import { type Members, readResponse } from './responses.ts'
import type { ProxyCredential, Signer } from './signature.ts'

/** A request to the proxy, and how its response is read. */
export interface ProxyRequest<T> {
  readonly operation: XksOperation
  readonly path: string
  readonly message: { readonly requestMetadata: { readonly kmsRequestId: string } }
  /** Throws a ProxyFailure for a response that is not as the specification says. */
  readonly read: (members: Members) => T
}

export interface ProxyMeans {
  /** Calls to one proxy at a time. */
  readonly maxCalls: number
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  /** Milliseconds of the monotonic clock. */
  readonly elapsed: () => number
  readonly metrics: XksProxyMetrics
  readonly log: Log
}

export class ProxyClient {
  readonly #store: string
  readonly #host: string
  readonly #connection: Connection
  readonly #signer: Signer
  readonly #breaker: CircuitBreaker
  readonly #means: ProxyMeans
  #calls = 0
  #isClosed = false
  /** Of the last failure of a proxy that does not work. */
  #lastKind: ProxyFailureKind = 'unreachable'
  /** The health of its external key managers, as it said last; empty before. */
  managers: readonly HealthStatus[] = []

  /**
   * @param store id
   * @param host as it is signed
   */
  constructor(store: string, host: string, connection: Connection, signer: Signer, means: ProxyMeans) {
    this.#store = store
    this.#host = host
    this.#connection = connection
    this.#signer = signer
    this.#breaker = new CircuitBreaker(means.elapsed)
    this.#means = means
  }

  get state(): Omit<XksProxyState, 'store'> {
    const { certificateExpiry } = this.#connection
    return { breaker: this.#breaker.state, managers: this.managers, certificateExpiry }
  }

  /**
   * One request, repeated once if that may help. Rejects with a ProxyFailure; with Throttling beyond the limit of calls at a time; with the
   * error of the HSM that cannot unseal the credential.
   */
  async call<T>(request: ProxyRequest<T>, credential: ProxyCredential): Promise<T> {
    const { clock, elapsed, maxCalls } = this.#means
    const body = JSON.stringify(request.message)
    const headers = await this.#signer.sign({ host: this.#host, path: request.path, body }, credential, clock())
    const start = elapsed()
    if (this.#calls >= maxCalls) {
      this.#count(request, 'tooManyCalls', start)
      throw new Failure('Throttling', tooManyCalls)
    }
    if (!this.#breaker.admit()) {
      this.#count(request, 'circuitOpen', start)
      throw new ProxyFailure(this.#lastKind, 'not sent: the circuit breaker is open')
    }
    this.#calls++
    try {
      const result = await this.#send(request, headers, body).catch((thrown: unknown) => {
        if (thrown instanceof ProxyFailure && thrown.row.retryable) return this.#send(request, headers, body)
        throw thrown
      })
      this.#works()
      this.#count(request, 'success', start)
      return result
    } catch (thrown) {
      this.#failed(request, thrown)
      this.#count(request, thrown instanceof ProxyFailure ? thrown.kind : 'internal', start)
      throw thrown
    } finally {
      this.#calls--
    }
  }

  /** What calls in flight return is not counted any more. */
  close(): Promise<void> {
    this.#isClosed = true
    this.#means.metrics.xksProxyClosed(this.#store)
    return this.#connection.close()
  }

  async #send<T>({ path, read }: ProxyRequest<T>, headers: Record<string, string>, body: string): Promise<T> {
    const response = await this.#connection.post(path, headers, body)
    try {
      return read(readResponse(response))
    } catch (thrown) {
      throw this.#isOutOfTime(thrown, response)
        ? new ProxyFailure('wrongClock', `its date is ${response.date}`)
        : thrown
    }
  }

  /** Whether the reason for a refused signature is the clock of the proxy: a response says what time it is there. */
  #isOutOfTime(thrown: unknown, { date }: Response): boolean {
    if (!(thrown instanceof ProxyFailure) || thrown.kind !== 'unauthenticated') return false
    return Math.abs(Date.parse(date) - this.#means.clock()) > greatestClockSkew * 1000
  }

  #works(): void {
    const before = this.#breaker.state
    this.#breaker.succeeded()
    if (before === 'closed') return
    this.#means.log.info({ event: 'xks_proxy_available', store: this.#store }, 'XKS proxy available again')
  }

  #failed({ operation, message }: ProxyRequest<unknown>, thrown: unknown): void {
    // A mistake of ours, which the path logs.
    if (!(thrown instanceof ProxyFailure)) {
      this.#breaker.failed()
      return
    }
    const { log } = this.#means
    const { kind: reason, row } = thrown
    const { kmsRequestId: requestId } = message.requestMetadata
    const fields = { store: this.#store, operation, requestId, reason, detail: thrown.message }
    if (row.isRefusal) log.info({ event: 'xks_proxy_refused', ...fields }, 'XKS proxy refused a request')
    else log.warn({ event: 'xks_proxy_failed', ...fields }, 'Request to XKS proxy failed')
    if (row.opensBreaker) this.#isLost(reason)
    else this.#works()
  }

  #isLost(reason: ProxyFailureKind): void {
    const before = this.#breaker.state
    this.#lastKind = reason
    this.#breaker.failed()
    if (before !== 'closed' || this.#breaker.state === 'closed') return
    this.#means.log.error({ event: 'xks_proxy_unavailable', store: this.#store, reason }, 'XKS proxy unavailable')
  }

  #count({ operation }: ProxyRequest<unknown>, outcome: string, start: number): void {
    if (this.#isClosed) return
    const { metrics, elapsed } = this.#means
    metrics.xksProxyCall({ store: this.#store, operation, outcome, seconds: (elapsed() - start) / 1000 })
  }
}

/** AWS's text for a request beyond the quota of a custom key store. */
const tooManyCalls = 'You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.'
