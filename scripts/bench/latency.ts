import { randomBytes } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { connectHsm, type HsmOptions } from '../../src/hsm/connect.ts'
import type { Hsm } from '../../src/hsm/hsm.ts'
import type { Mode } from '../../src/hsm/worker/mode.ts'
import { FaultHsm } from '../../test/fault-hsm/fault-hsm.ts'
import { createSoftHsm, type SoftHsm } from '../../test/hsm/softhsm.ts'
import { bareRate } from './bare.ts'
import type { Figure } from './figure.ts'

/** An HSM behind a network, as the misbehaving HSM plays it: calls a second against what its sessions allow. */

const latency = 2
const callers = 64
const modes: readonly Mode[] = ['synchronous', 'asynchronous', 'threads']
const [encryptionKey, macKey] = [randomBytes(32).toString('hex'), randomBytes(32).toString('hex')]

export async function callsBehindLatency(): Promise<Figure[]> {
  const softHsm = await createSoftHsm()
  const faults = new FaultHsm(mkdtempSync(join(tmpdir(), 'strongroom-bench-')))
  const maker = await connectHsm({ ...softHsm.options, workers: 1 })
  await maker.generateKey(encryptionKey, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'bench')
  await maker.generateKey(macKey, 'HMAC_256', 'GENERATE_VERIFY_MAC', 'bench')
  await maker.close()
  const remote = new RemoteHsm(softHsm, faults)
  const operation = `delay C_Encrypt ${latency}ms`
  const [sign, init] = [`delay C_Sign ${latency}ms`, `delay C_*Init ${latency}ms`]
  const figures = [
    await remote.rateFigure('2 ms for each call, 16 sessions / what they allow', 16, [operation, sign], latency, 0.9),
    await remote.rateFigure('2 ms for each call, 64 sessions / what they allow', 64, [operation, sign], latency, 0.9),
    await remote.rateFigure(
      '2 ms for C_*Init as well, 64 sessions / the same',
      64,
      [operation, sign, init],
      2 * latency,
      0.5,
    ),
    await remote.addedFigure([operation, sign]),
  ]
  softHsm.remove()
  return figures
}

class RemoteHsm {
  readonly #softHsm: SoftHsm
  readonly #faults: FaultHsm

  constructor(softHsm: SoftHsm, faults: FaultHsm) {
    this.#softHsm = softHsm
    this.#faults = faults
  }

  /** @param each milliseconds that one call takes in its session */
  async rateFigure(
    name: string,
    sessions: number,
    rules: readonly string[],
    each: number,
    atLeast: number,
  ): Promise<Figure> {
    const limit = (sessions * 1000) / each
    const rates: string[] = []
    for (const mode of modes) rates.push(`${mode} ${Math.round((await this.#measure(mode, sessions, rules)).rate)}/s`)
    const { rate, chosen } = await this.#measure('measured', sessions, rules)
    const bare = Math.round(await this.#bareRate(sessions))
    const details = `${Math.round(rate)}/s of ${limit}/s, chosen: ${chosen}; ${rates.join(', ')}; pkcs11js alone ${bare}/s`
    return { name, value: rate / limit, unit: '', reach: { atLeast }, details }
  }

  /** With a quarter of the sessions in use. */
  async addedFigure(rules: readonly string[]): Promise<Figure> {
    const { latencies } = await this.#measure('measured', 64, rules, 16)
    const p99 = latencies[Math.floor(latencies.length * 0.99)]!
    return {
      name: 'added to 2 ms, p99, while the HSM is not saturated',
      value: p99 - latency,
      unit: 'ms',
      reach: { atMost: 5 },
      details: `16 callers, 64 sessions`,
    }
  }

  async #measure(mode: Mode | 'measured', sessions: number, rules: readonly string[], count = callers) {
    this.#faults.set(...rules)
    let chosen: unknown
    const hsm = await connectHsm({
      ...this.#options(mode, sessions),
      log: (_level, _text, { mode }) => (chosen ??= mode),
    })
    if (mode === 'measured') await settle(hsm, count)
    else await run(hsm, count, 3000)
    const { latencies, rate } = await run(hsm, count, mode === 'measured' ? 5000 : 2000)
    await hsm.close()
    return { rate, latencies, chosen }
  }

  /** Calls a second that one process gets, asynchronously, without a gateway or a worker: what the machine and the library allow. */
  #bareRate(sessions: number): Promise<number> {
    const { options, pinFile } = this.#softHsm
    const environment = { ...options.environment, ...this.#faults.environment(), UV_THREADPOOL_SIZE: String(sessions) }
    return bareRate('bare-calls.ts', [this.#faults.library, pinFile, String(sessions), '3', '5'], environment)
  }

  #options(mode: Mode | 'measured', sessions: number): HsmOptions {
    const profile = join(this.#softHsm.directory, `${mode}.yaml`)
    writeFileSync(profile, `name: ${mode}\nbasedOn: generic\nmode: ${mode}\n`)
    const { options } = this.#softHsm
    const environment = { ...options.environment, ...this.#faults.environment() }
    return { ...options, library: this.#faults.library, environment, profile, sessions, workers: 1 }
  }
}

/** Until the rate grows no more: every thread has its machine code to itself, and with 64 of them it takes half a minute to settle. */
async function settle(hsm: Hsm, count: number): Promise<void> {
  let best = 0
  for (let since = 0; since < 2; since++) {
    const { rate } = await run(hsm, count, 6000)
    if (rate > 1.03 * best) since = -1
    best = Math.max(best, rate)
  }
}

async function run(hsm: Hsm, count: number, milliseconds: number) {
  const latencies: number[] = []
  const start = performance.now()
  const end = start + milliseconds
  const [text, aad] = [Buffer.alloc(32), Buffer.alloc(40)]
  const key = { material: macKey, spec: 'HMAC_256' } as const
  const caller = async () => {
    while (performance.now() < end) {
      for (const call of [
        () => hsm.encrypt(encryptionKey, text, aad),
        () => hsm.generateMac(key, 'HMAC_SHA_256', text),
      ]) {
        const before = performance.now()
        await call()
        latencies.push(performance.now() - before)
      }
    }
  }
  await Promise.all(Array.from({ length: count }, caller))
  const rate = (latencies.length * 1000) / (performance.now() - start)
  return { rate, latencies: latencies.sort((a, b) => a - b) }
}
