/** What the supervisor does when processes cannot start. Real processes are in end-to-end/gateway-processes.test.ts. */
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { processCount } from '../../src/config/processes.ts'
import { type Config, parseConfig } from '../../src/config.ts'
import type { SharedDatabase } from '../../src/supervisor/shared-database.ts'
import { Supervisor } from '../../src/supervisor/supervisor.ts'

/** Of each process that was started. */
const started = vi.hoisted(() => vi.fn<(gateway: string) => void>())

vi.mock('node:cluster', () => ({ default: { fork() {}, setupPrimary() {} } }))
vi.mock('../../src/supervisor/gateway-process.ts', () => ({
  PinRefused: class extends Error {},
  GatewayProcess: class {
    readonly #ended = Promise.withResolvers<string>()
    readonly ended = this.#ended.promise
    async start({ config }: { config: Config }) {
      started(config.gateway)
      return { url: 'http://127.0.0.1:7700' }
    }
    kill() {
      this.#ended.resolve('SIGKILL')
    }
    async close() {
      this.#ended.resolve('exit code 0')
    }
  },
}))

const configWith = (processes: number) =>
  parseConfig(
    `
gateway: gw
processes: ${processes}
storage: { file: strongroom.db }
audit: { file: audit.jsonl }
hsms: { one: { profile: softhsm2, library: /a.so, token: { label: one }, pinFile: pin } }
`,
    '/data/strongroom.yaml',
  )

let config: Config
let leasesEnded: string[]
let supervisor: Supervisor

beforeEach(async () => {
  started.mockReset()
  config = configWith(3)
  leasesEnded = []
  const database = { endLease: async (gateway: string) => void leasesEnded.push(gateway) }
  supervisor = new Supervisor(config, {
    database: database as unknown as SharedDatabase,
    read: () => config,
    umask: 0o77,
    log: { info() {}, warn() {}, error() {} },
  })
  await supervisor.start()
  return () => supervisor.close('test')
})

const gateways = () => supervisor.slots.map(({ gateway }) => gateway).sort()

function failOnce(gateway: string): void {
  let left = 1
  started.mockImplementation(name => {
    if (name === gateway && left-- > 0) throw new Error('not now')
  })
}

describe('a roll', () => {
  it.each([
    [3, 'gw-2'],
    [5, 'gw'],
    [5, 'gw-5'],
    [2, 'gw'],
    [2, 'gw-2'],
  ])('to %i processes that fails at %s is finished by the next one', async (processes, gateway) => {
    config = configWith(processes)
    failOnce(gateway)
    await supervisor.roll()
    expect(supervisor.slots.length).toBeGreaterThanOrEqual(4)
    for (const next of [processes, 3]) {
      config = configWith(next)
      await supervisor.roll()
      expect(gateways()).toEqual(['gw', 'gw-2', 'gw-3', 'gw-4', 'gw-5'].slice(0, processCount(config)))
    }
  })

  it('uses the number of its additional process again, as that has a journal', async () => {
    for (let times = 0; times < 3; times++) {
      failOnce('gw-2')
      await supervisor.roll()
    }
    expect(new Set(started.mock.calls.flat())).toEqual(new Set(['gw', 'gw-2', 'gw-3', 'gw-4']))
  })

  it('ends the lease of a process that ended before it had started', async () => {
    failOnce('gw-4')
    await supervisor.roll()
    expect(leasesEnded).toEqual(['gw-4'])
  })
})
