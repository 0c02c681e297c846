/** Runs the checks one after another, and writes a line for each. */
import { type Check, Mismatch, Skipped } from './check.ts'
import { authenticationChecks } from './checks/authentication.ts'
import { concurrencyChecks } from './checks/concurrency.ts'
import { decryptChecks } from './checks/decrypt.ts'
import { encryptChecks } from './checks/encrypt.ts'
import { inputChecks } from './checks/input.ts'
import { keyChecks } from './checks/keys.ts'
import { transportChecks } from './checks/transport.ts'
import { uriChecks } from './checks/uris.ts'
import { latencies } from './latency.ts'
import type { Options } from './options.ts'
import { XksProxy } from './proxy.ts'

export const checks: readonly Check[] = [
  ...transportChecks,
  ...uriChecks,
  ...authenticationChecks,
  ...keyChecks,
  ...inputChecks,
  ...encryptChecks,
  ...decryptChecks,
  ...concurrencyChecks,
]

type Verdict = 'pass' | 'fail' | 'warn' | 'skip'

export interface Outcome {
  readonly verdict: Verdict
  readonly name: string
  readonly reason?: string | undefined
}

/** Resolves to the outcome of each check. */
export async function conformance(options: Options, write: (line: string) => void): Promise<readonly Outcome[]> {
  const proxy = new XksProxy(options)
  const outcomes: Outcome[] = []
  const report = (outcome: Outcome) => {
    outcomes.push(outcome)
    write(`${outcome.verdict}  ${outcome.name}${outcome.reason === undefined ? '' : `: ${outcome.reason}`}`)
  }
  try {
    const reason = await whyUnreachable(proxy)
    if (reason !== undefined) report({ verdict: 'fail', name: 'MUST be reachable over IPv4', reason })
    else {
      for (const check of checks.filter(({ name }) => name.includes(options.only ?? '')))
        report(await outcomeOf(check, proxy))
      if (options.only === undefined) for (const line of await latencies(proxy)) write(`info  ${line}`)
      if (proxy.repeated > 0) write(`info  sent again after 429 or 503: ${proxy.repeated} requests`)
    }
    write(summary(outcomes))
    return outcomes
  } finally {
    proxy.close()
  }
}

/** Why no TLS connection can be made, whatever its certificate: every check would wait for one. */
async function whyUnreachable(proxy: XksProxy): Promise<string | undefined> {
  try {
    const socket = await proxy.connect({ rejectUnauthorized: false })
    socket.destroy()
    return undefined
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException
    return `expected a TLS connection, got ${message || code}`
  }
}

async function outcomeOf({ level, name, run }: Check, proxy: XksProxy): Promise<Outcome> {
  const sentence = `${level === 'must' ? 'MUST' : 'SHOULD'} ${name}`
  try {
    await run(proxy)
    return { verdict: 'pass', name: sentence }
  } catch (error) {
    if (error instanceof Skipped) return { verdict: 'skip', name: sentence, reason: error.message }
    const { message, code } = error as NodeJS.ErrnoException
    // What is no mismatch is a connection that failed.
    const reason = error instanceof Mismatch ? message : `expected an answer, got ${message || code}`
    return { verdict: level === 'must' || proxy.options.strict ? 'fail' : 'warn', name: sentence, reason }
  }
}

function summary(outcomes: readonly Outcome[]): string {
  const count = (verdict: Verdict) => outcomes.filter(outcome => outcome.verdict === verdict).length
  return `${count('pass')} passed, ${count('fail')} failed, ${count('warn')} warnings, ${count('skip')} skipped`
}
