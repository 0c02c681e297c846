import { describe, expect, it } from 'vitest'
import { Quotas } from '../../src/assemble/quotas.ts'
import type { FileSinkConfig } from '../../src/config/audit-sinks.ts'
import { configOfProcess, configsOfProcesses, processCount } from '../../src/config/processes.ts'
import { parseConfig } from '../../src/config.ts'

const basic = `
gateway: gw
storage: { file: strongroom.db }
audit:
  file: audit.jsonl
  sinks: { copy: { type: file, file: /mnt/copy.jsonl } }
hsms:
  one: { profile: softhsm2, library: /a.so, token: { label: one }, pinFile: pin, maxQueuedCalls: 9 }
  two: { profile: softhsm2, library: /b.so, token: { label: two }, pinFile: pin, workers: 3 }
regions: { us-east-1: one, eu-west-1: two }
xks: { listen: {} }
`
const config = (text = '') => parseConfig(`${basic}${text}`, '/data/strongroom.yaml')

describe('the configuration of a gateway process', () => {
  it('is the whole configuration, if there is one process', () => {
    const alone = config()
    expect(processCount(alone)).toBe(1)
    expect(configOfProcess(alone, 1)).toBe(alone)
    expect(configsOfProcesses(alone)).toEqual([alone])
  })

  it('has a name and files of its own', () => {
    const names = configsOfProcesses(config('processes: 2')).map(({ gateway, audit }) => [
      gateway,
      audit.file,
      (audit.sinks.copy as FileSinkConfig).file,
    ])
    expect(names).toEqual([
      ['gw', '/data/audit.jsonl', '/mnt/copy.jsonl'],
      ['gw-2', '/data/audit-2.jsonl', '/mnt/copy-2.jsonl'],
      ['gw-3', '/data/audit-3.jsonl', '/mnt/copy-3.jsonl'],
    ])
  })

  it('has a name that is not too long', () => {
    const long = parseConfig(basic.replace('gw', 'g'.repeat(63)).concat('processes: 64'), '/data/strongroom.yaml')
    const names = configsOfProcesses(long).map(({ gateway }) => gateway)
    expect(new Set(names).size).toBe(65)
    expect(Math.max(...names.map(name => name.length))).toBe(63)
  })

  it.each([2, 3, 64])('has one of %i parts of what is limited for the machine, and one worker', processes => {
    const whole = config(`processes: ${processes}`)
    const own = configOfProcess(whole, 1)
    const limits = ({ listen, xks, hsms }: typeof own) => [
      listen.maxConnections,
      xks!.listen.maxConnections,
      xks!.listen.maxBodyMemory,
      hsms.one!.maxQueuedCalls,
    ]
    for (const [index, limit] of limits(own).entries()) {
      expect(limit).toBeGreaterThanOrEqual(1)
      if (limit > 1) expect(limit * processes).toBeLessThanOrEqual(limits(whole)[index]!)
    }
    // A body of the largest size is still accepted.
    expect(own.listen.maxBodyMemory).toBeGreaterThanOrEqual(own.listen.maxBodySize)
    expect([own.hsms.one!.workers, own.hsms.two!.workers]).toEqual([1, 3])
  })

  it.each([0, 65, 1.5, '"2"', 'Auto'])('refuses %s processes', processes => {
    expect(() => config(`processes: ${processes}`)).toThrow('processes: use auto, or a whole number from 1 to 64')
  })

  it('refuses several processes, each of which would need passwords of key stores in its memory', () => {
    const memory = 'customKeyStores: { passwords: memory }\n'
    expect(() => config(`${memory}processes: 2`)).toThrow('customKeyStores.passwords: memory is that of one process')
    expect(processCount(config(memory))).toBe(1)
  })

  it('has at least one process for auto', () => {
    expect(processCount(config('processes: auto'))).toBeGreaterThanOrEqual(1)
  })
})

describe('a quota', () => {
  it.each([
    [100, 1, 100],
    [100, 4, 25],
    [1, 2, 1],
  ])('of %i requests per second among %i processes lets each answer %i at once', (quota, processes, most) => {
    let now = 0
    const quotas = new Quotas(() => now, processes)
    const answered = () => {
      for (let count = 0; ; count++) {
        try {
          quotas.take('tenant', quota)
        } catch {
          return count
        }
      }
    }
    expect(answered()).toBe(most)
    now += 1000 * processes
    expect(answered()).toBe(Math.min(most, quota))
    now += 100_000
    expect(answered()).toBe(most)
  })
})
