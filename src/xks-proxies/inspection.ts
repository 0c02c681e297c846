/** Calls an XKS proxy as AWS KMS would, and finds what it would fail at: `strongroom doctor --xks`. */
import type { LookupFunction } from 'node:net'
import type { XksProxyConfiguration } from '../model/xks/credentials.ts'
import { answerTimeout } from '../model/xks/limits.ts'
import { healthPath, keyPath } from '../model/xks/uris.ts'
import { checkName, checkTls } from './certificate-check.ts'
import { Connection, type Response } from './connection.ts'
import type { Endpoint, ProxyReport } from './proxy-report.ts'
import { type Members, readHealth, readKeyMetadata, readResponse } from './responses.ts'
import { Signer } from './signature.ts'

export interface Inspected extends Endpoint {
  /** What the consumer was given; absent: only name and TLS are checked. */
  readonly access?: { readonly configuration: XksProxyConfiguration; readonly region: string } | undefined
  /** Ids of external keys. */
  readonly keys: readonly string[]
}

export interface InspectionMeans {
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  /** Milliseconds of the monotonic clock. */
  readonly elapsed: () => number
  readonly lookup: LookupFunction
}

/** Calls one after another of which the median is taken. */
const calls = 20
/** Milliseconds: longer than KMS waits, to find out how long it takes. */
const timeout = 5000
/** Seconds: AWS refuses 300. */
const clockTolerance = 60

export async function inspectProxy(inspected: Inspected, means: InspectionMeans): Promise<ProxyReport> {
  const report: ProxyReport = { warnings: [], problems: [] }
  await checkName(inspected, means.lookup, report)
  const { access } = inspected
  if (!(await checkTls(inspected, means.clock(), report)) || access === undefined) return report
  const caller = await openCaller(inspected, access, means)
  try {
    await checkHealth(caller, report)
    await checkKeys(caller, inspected.keys, report)
  } catch (error) {
    report.problems.push(`${access.configuration.XksProxyUriPath}: ${(error as Error).message}`)
  } finally {
    await caller.close()
  }
  return report
}

interface Caller {
  readonly uriPath: string
  readonly clock: () => number
  /** Rejects with a ProxyFailure unless there is an answer. */
  call(path: string, kmsOperation: string): Promise<{ readonly response: Response; readonly duration: number }>
  close(): Promise<void>
}

async function openCaller(
  { host, address, caFile }: Inspected,
  { configuration, region }: NonNullable<Inspected['access']>,
  { clock, elapsed, lookup }: InspectionMeans,
): Promise<Caller> {
  const { AccessKeyId: accessKeyId, RawSecretAccessKey } = configuration.XksProxyAuthenticationCredential
  const credential = { accessKeyId, sealedSecret: new Uint8Array() }
  const signer = new Signer(region, async () => Buffer.from(RawSecretAccessKey))
  const options = {
    host,
    settings: { address, caFile },
    allowPrivateAddresses: true,
    lookup,
    maxConnections: 1,
    timeout,
  }
  const connection = new Connection(await import('undici'), options)
  return {
    uriPath: configuration.XksProxyUriPath,
    clock,
    async call(path, kmsOperation) {
      const awsPrincipalArn = 'AWS Internal'
      const body = JSON.stringify({
        requestMetadata: { kmsRequestId: 'strongroom doctor', kmsOperation, awsPrincipalArn },
      })
      const headers = await signer.sign({ host, path, body }, credential, clock())
      const start = elapsed()
      const response = await connection.post(path, headers, body)
      return { response, duration: elapsed() - start }
    },
    close: () => connection.close(),
  }
}

async function checkHealth({ uriPath, clock, call }: Caller, report: ProxyReport): Promise<void> {
  const first = await call(healthPath(uriPath), 'KmsHealthCheck')
  checkClock(first.response.date, clock(), report)
  const statuses = readHealth(readResponse(first.response))
  if (statuses.every(status => status === 'UNAVAILABLE')) report.problems.push('every HSM is unavailable')
  const durations: number[] = []
  for (let i = 0; i < calls; i++) durations.push((await call(healthPath(uriPath), 'KmsHealthCheck')).duration)
  durations.sort((a, b) => a - b)
  const shown = (milliseconds: number) => `${milliseconds.toFixed(1)} ms`
  const [median, longest] = [durations[calls / 2]!, durations.at(-1)!]
  report.roundTrip = `${shown(first.duration)} with a new connection, then ${shown(median)} (longest ${shown(longest)}); AWS KMS waits ${answerTimeout} ms`
  if (first.duration > answerTimeout || median > answerTimeout)
    report.problems.push(
      `a round trip takes ${shown(Math.max(first.duration, median))}: AWS KMS waits ${answerTimeout} ms`,
    )
}

function checkClock(date: string, now: number, report: ProxyReport): void {
  const offset = (Date.parse(date) - now) / 1000
  if (Number.isNaN(offset)) return
  report.clock = `${clockDifference(offset)} the clock here`
  if (Math.abs(offset) > clockTolerance)
    report.warnings.push(`the clock of the proxy differs by ${Math.round(Math.abs(offset))} s`)
}

/** @param offset seconds, of a Date in whole seconds, which are rounded down */
export function clockDifference(offset: number): string {
  const seconds = Math.floor(Math.abs(offset))
  return seconds === 0 ? 'within 1 s of' : `${seconds} s ${offset < 0 ? 'behind' : 'ahead of'}`
}

/** CreateKey of AWS KMS accepts no other keys. */
function isUsable(metadata: Members): boolean {
  const { keySpec, keyUsage, keyStatus } = readKeyMetadata(metadata)
  return (
    keySpec === 'AES_256' && ['ENCRYPT', 'DECRYPT'].every(usage => keyUsage.includes(usage)) && keyStatus === 'ENABLED'
  )
}

async function checkKeys({ uriPath, call }: Caller, keys: readonly string[], report: ProxyReport): Promise<void> {
  let usable = 0
  for (const key of keys) {
    try {
      const metadata = readResponse((await call(keyPath(uriPath, key, 'metadata'), 'CreateKey')).response)
      if (isUsable(metadata)) usable++
      else report.warnings.push(`external key ${key}: ${JSON.stringify(metadata)}`)
    } catch (error) {
      report.warnings.push(`external key ${key}: ${(error as Error).message}`)
    }
  }
  report.keys = `${usable} of ${keys.length} enabled AES_256 keys that encrypt and decrypt`
}
