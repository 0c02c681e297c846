import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { Sha256 } from '@aws-crypto/sha256-js'
import { SignatureV4 } from '@smithy/signature-v4'
import { type Credentials, region } from './gateway.ts'

/** Load by wrk, in a process of its own: requests that were signed before, sent round and round. */

export interface LoadResult {
  readonly requestsPerSecond: number
  readonly requests: number
  /** Milliseconds. */
  readonly p50: number
  /** Milliseconds. */
  readonly p99: number
}

const milliseconds: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000 }

/** Runs wrk for a number of seconds. Throws when an answer is not 200, unless some may be. */
export async function load(
  url: string,
  script: string,
  seconds: number,
  connections = 64,
  { mayRefuse = false } = {},
): Promise<LoadResult> {
  const args = [
    '--threads',
    '1',
    '--connections',
    String(connections),
    '--duration',
    `${seconds}s`,
    '--latency',
    '--script',
    script,
    url,
  ]
  const { stdout } = await promisify(execFile)('wrk', args)
  const refused = /Non-2xx or 3xx responses: (\d+)/.exec(stdout)
  if (refused && !mayRefuse) throw new Error(`${refused[1]} requests to ${url} were refused`)
  const read = (expression: RegExp) => Number(expression.exec(stdout)![1])
  const percentile = (percent: number) => {
    const [, value, unit] = new RegExp(`^\\s+${percent}%\\s+([\\d.]+)(us|ms|s|m)$`, 'm').exec(stdout)!
    return Number(value) * milliseconds[unit!]!
  }
  return {
    requestsPerSecond: read(/Requests\/sec:\s+([\d.]+)/),
    requests: read(/(\d+) requests in/),
    p50: percentile(50),
    p99: percentile(99),
  }
}

/** Writes a wrk script that sends these bodies, each signed for the operation. Signatures are good for five minutes. */
export async function writeSigned(
  file: string,
  url: string,
  operation: string,
  bodies: readonly object[],
  credentials: Credentials,
): Promise<void> {
  const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `TrentService.${operation}` }
  const requests = bodies.map(body => ({ path: '/', body }))
  await writeSignedFor({ service: 'kms', headers, credentials }, file, url, requests)
}

/** The same for any service. */
export async function writeSignedFor(
  signing: {
    readonly service: string
    readonly headers: Readonly<Record<string, string>>
    readonly credentials: Credentials
  },
  file: string,
  url: string,
  requests: readonly { readonly path: string; readonly body: object }[],
): Promise<void> {
  const { service, credentials } = signing
  const signer = new SignatureV4({ service, region, credentials, sha256: Sha256 })
  const { protocol, hostname, port, host } = new URL(url)
  const headers = { host, 'user-agent': 'strongroom-bench', ...signing.headers }
  const formats = requests.map(async ({ path, body: value }, i) => {
    const body = JSON.stringify(value)
    const request = { method: 'POST', protocol, hostname, port: Number(port), path, query: {}, headers, body }
    const signed = await signer.sign(request)
    return `requests[${i + 1}] = ${lua(path, signed.headers, body)}`
  })
  const rotate = 'local i = 0\nfunction request() i = i % #requests + 1 return requests[i] end\n'
  writeFileSync(file, `local requests = {}\n${(await Promise.all(formats)).join('\n')}\n${rotate}`, { mode: 0o600 })
}

function lua(path: string, headers: Readonly<Record<string, string>>, body: string): string {
  const pairs = Object.entries(headers).map(([name, value]) => `[${JSON.stringify(name)}] = ${JSON.stringify(value)}`)
  return `wrk.format('POST', '${path}', { ${pairs.join(', ')} }, ${JSON.stringify(body)})`
}
