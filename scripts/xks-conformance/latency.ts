/** How long the proxy takes. It is a report, not a check: KMS waits 250 ms, from where it is. */
import { encryptBody } from './cryptography.ts'
import type { Call, XksProxy } from './proxy.ts'

const calls = 30

export async function latencies(proxy: XksProxy): Promise<readonly string[]> {
  const body = () => encryptBody(proxy, Buffer.alloc(48), { integrity: true })
  const metadata = () => ({ requestMetadata: proxy.requestMetadata('CreateKey') })
  const measured: readonly (readonly [string, string, () => unknown, Call])[] = [
    ['health', proxy.pathOf('health'), metadata, {}],
    ['metadata', proxy.keyPath('metadata'), metadata, {}],
    ['encrypt', proxy.keyPath('encrypt'), body, {}],
    ['encrypt on a new connection', proxy.keyPath('encrypt'), body, { fresh: true }],
  ]
  const lines: string[] = []
  for (const [name, path, body, call] of measured) lines.push(`${name}: ${await timed(proxy, path, body, call)}`)
  return [...lines, 'KMS waits 250 ms for an answer']
}

async function timed(proxy: XksProxy, path: string, body: () => unknown, call: Call): Promise<string> {
  const durations: number[] = []
  try {
    for (let i = 0; i < calls; i++) durations.push((await proxy.call(path, { ...call, body: body() })).duration)
  } catch (error) {
    return (error as Error).message
  }
  durations.sort((a, b) => a - b)
  const at = (share: number) => `${durations[Math.ceil(share * calls) - 1]!.toFixed(1)} ms`
  return `median ${at(0.5)}, 90th percentile ${at(0.9)}, longest ${at(1)}, of ${calls} calls one after another`
}
