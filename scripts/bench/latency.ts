import { randomBytes } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import type { Hsm } from '../../src/hsm/hsm.ts'
import { workerCount } from '../../src/hsm/profiles/worker-count.ts'
import { connectHsm } from '../../src/hsm/registry.ts'
import { FaultHsm } from '../../test/fault-hsm/fault-hsm.ts'
import { createSoftHsm, type SoftHsm } from '../../test/hsm/softhsm.ts'
import { bareRate } from './bare.ts'
import { type Figure, median } from './figure.ts'

/** An HSM behind a network, as the misbehaving HSM plays it, against what pkcs11js alone gets from it. */

const latency = 2
const callers = 64
const [encryptionKey, macKey] = [randomBytes(32).toString('hex'), randomBytes(32).toString('hex')]

interface Load {
  /** Of the misbehaving HSM. */
  readonly rules: readonly string[]
  readonly workers: number
  /** Of each worker. */
  readonly sessions: number
}

export async function callsBehindLatency(): Promise<Figure[]> {
  const softHsm = await createSoftHsm()
  const faults = new FaultHsm(mkdtempSync(join(tmpdir(), 'strongroom-bench-')))
  const maker = await connectHsm({ ...softHsm.options, workers: 1 })
  await maker.generateKey(encryptionKey, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'bench')
  await maker.generateKey(macKey, 'HMAC_256', 'GENERATE_VERIFY_MAC', 'bench')
  await maker.close()
  const remote = new RemoteHsm(softHsm, faults)
  const calls = [`delay C_Encrypt ${latency}ms`, `delay C_Sign ${latency}ms`]
  const inits = [...calls, `delay C_*Init ${latency}ms`]
  const workers = workerCount('auto', { initIsRoundTrip: true, singleProcess: false })
  const figures = [
    await remote.rateFigure('2 ms a call, 16 sessions', { rules: calls, workers: 1, sessions: 16 }, 0.95),
    await remote.rateFigure('2 ms a call, 64 sessions', { rules: calls, workers: 1, sessions: 64 }, 0.75),
    await remote.rateFigure(`and 2 ms for C_*Init, ${workers} workers`, { rules: inits, workers, sessions: 2 }, 0.9),
    await remote.addedFigure({ rules: calls, workers: 1, sessions: 64 }),
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

  /** In turns. */
  async rateFigure(name: string, load: Load, atLeast: number): Promise<Figure> {
    const hsm = await this.#connect(load)
    await run(hsm, callers, 5000)
    const rates = { hsm: [] as number[], bare: [] as number[] }
    for (let round = 0; round < 3; round++) {
      rates.bare.push(await this.#bareRate(load))
      rates.hsm.push((await run(hsm, callers, 4000)).rate)
    }
    await hsm.close()
    const [rate, bare] = [median(rates.hsm), median(rates.bare)]
    const details = `${Math.round(rate)}/s against ${Math.round(bare)}/s`
    return { name: `${name} / pkcs11js alone`, value: rate / bare, unit: '', reach: { atLeast }, details }
  }

  /** With a quarter of the sessions in use. */
  async addedFigure(load: Load): Promise<Figure> {
    const busy = load.sessions / 4
    const hsm = await this.#connect(load)
    await run(hsm, busy, 5000)
    const { latencies } = await run(hsm, busy, 5000)
    await hsm.close()
    const p99 = latencies[Math.floor(latencies.length * 0.99)]!
    return {
      name: 'added to 2 ms, p99, while the HSM is not saturated',
      value: p99 - latency,
      unit: 'ms',
      reach: { atMost: 5 },
      details: `${busy} callers, ${load.sessions} sessions`,
    }
  }

  #connect({ rules, workers, sessions }: Load): Promise<Hsm> {
    this.#faults.set(...rules)
    const profile = join(this.#softHsm.directory, 'remote.yaml')
    writeFileSync(profile, 'name: remote\nbasedOn: generic\nmode: asynchronous\n')
    const { library } = this.#faults
    return connectHsm({
      ...this.#softHsm.options,
      library,
      environment: this.#environment,
      profile,
      sessionsPerWorker: sessions,
      workers,
    })
  }

  /**
   * Calls a second of one process without a gateway, times the workers: what the library allows. Several processes would not find the token
   * while one of them logs in.
   */
  async #bareRate({ workers, sessions }: Load): Promise<number> {
    const parameters = [this.#faults.library, this.#softHsm.pinFile, String(sessions), '3', '4']
    const environment = { ...this.#environment, UV_THREADPOOL_SIZE: String(sessions) }
    return workers * (await bareRate('bare-calls.ts', parameters, environment))
  }

  get #environment(): Readonly<Record<string, string>> {
    return { ...this.#softHsm.options.environment, ...this.#faults.environment() }
  }
}

async function run(hsm: Hsm, count: number, milliseconds: number) {
  const latencies: number[] = []
  const start = performance.now()
  const end = start + milliseconds
  const [text, aad] = [Buffer.alloc(32), Buffer.alloc(40)]
  const key = { object: macKey, spec: 'HMAC_256' } as const
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
