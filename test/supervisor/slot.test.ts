import { beforeEach, describe, expect, it, vi } from 'vitest'
import { parseConfig } from '../../src/config.ts'
import { OperatorError } from '../../src/errors.ts'
import { type GatewayProcess, PinRefused } from '../../src/supervisor/gateway-process.ts'
import { type Launched, Slot, type SlotMeans } from '../../src/supervisor/slot.ts'

const config = parseConfig(
  `
gateway: gw
storage: { file: strongroom.db }
audit: { file: audit.jsonl }
hsms: { one: { profile: softhsm2, library: /a.so, token: { label: one }, pinFile: pin } }
`,
  '/data/strongroom.yaml',
)

const urls = { url: 'http://127.0.0.1:7700' }

class FakeProcess {
  readonly pid = 1
  readonly #ended = Promise.withResolvers<string>()
  readonly ended = this.#ended.promise
  closed: unknown[] = []

  async close(...args: unknown[]): Promise<void> {
    this.closed.push(args)
    this.#ended.resolve('exit code 0')
  }

  die(): void {
    this.#ended.resolve('SIGKILL')
  }
}

let outcomes: (FakeProcess | Error)[]
let launches: number
let failed: [Error, number][]
let ended: string[]
let slot: Slot

beforeEach(() => {
  vi.useFakeTimers()
  ;[outcomes, launches, failed, ended] = [[], 0, [], []]
  const means: SlotMeans = {
    async launch(): Promise<Launched> {
      launches++
      const outcome = outcomes.shift() ?? new FakeProcess()
      if (outcome instanceof Error) throw outcome
      return { process: outcome as unknown as GatewayProcess, urls }
    },
    ended: gateway => ended.push(gateway),
    failed: (error, failures) => failed.push([error, failures]),
    log: { info() {}, warn() {}, error() {} },
  }
  slot = new Slot(config, means)
  return async () => {
    await slot.stop('test')
    vi.useRealTimers()
  }
})

const settled = () => vi.advanceTimersByTimeAsync(60_000)

describe('a slot', () => {
  it('starts another process when its own ends, and tells that it has ended', async () => {
    const first = new FakeProcess()
    outcomes = [first]
    expect(await slot.start()).toBe(urls)
    first.die()
    await settled()
    expect([slot.state, slot.restarts, launches, ended]).toEqual(['ready', 1, 2, ['gw']])
  })

  it('tries again after longer and longer pauses', async () => {
    const first = new FakeProcess()
    outcomes = [first, ...Array.from({ length: 4 }, () => new OperatorError('not now'))]
    await slot.start()
    first.die()
    await vi.advanceTimersByTimeAsync(200)
    expect(launches).toBe(2)
    await settled()
    expect(failed.map(([, failures]) => failures)).toEqual([2, 3, 4, 5])
    expect([slot.state, launches]).toEqual(['ready', 6])
  })

  it('slows down a process that ends as soon as it has started', async () => {
    const processes = Array.from({ length: 20 }, () => new FakeProcess())
    outcomes = [...processes]
    await slot.start()
    for (const process of processes) process.die()
    await vi.advanceTimersByTimeAsync(2000)
    expect(launches).toBeLessThan(8)
  })

  it('does not try a PIN again that the token has refused', async () => {
    const first = new FakeProcess()
    outcomes = [first, new PinRefused('the token refused the PIN')]
    await slot.start()
    first.die()
    await settled()
    expect([slot.state, launches]).toEqual(['down', 2])
    expect(failed).toEqual([[expect.any(PinRefused), Number.POSITIVE_INFINITY]])
  })

  it('does not try again when its first process cannot start', async () => {
    outcomes = [new OperatorError('the port is in use')]
    await expect(slot.start()).rejects.toThrow('the port is in use')
    await settled()
    expect([slot.state, launches]).toEqual(['down', 1])
  })

  it('ends its process before it starts the next one', async () => {
    const first = new FakeProcess()
    outcomes = [first]
    await slot.start()
    await slot.replace({ ...config, gateway: 'gw-2' })
    expect(first.closed).toEqual([['restart', true]])
    expect([slot.state, slot.gateway, slot.restarts]).toEqual(['ready', 'gw-2', 0])
  })

  it.each([
    ['while its process starts', async () => void slot.start()],
    [
      'while it waits to start another one',
      async () => {
        const first = new FakeProcess()
        outcomes = [first, new OperatorError('not now')]
        await slot.start()
        first.die()
        await vi.advanceTimersByTimeAsync(60)
      },
    ],
  ])('starts no process once it was stopped %s', async (_when, begin) => {
    await begin()
    await slot.stop('SIGTERM')
    const before = launches
    await settled()
    expect([slot.state, launches, slot.process]).toEqual(['down', before, undefined])
  })
})
