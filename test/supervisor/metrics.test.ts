import { describe, expect, it } from 'vitest'
import { createMetrics } from '../../src/metrics.ts'
import { merged, ProcessMetrics } from '../../src/supervisor/metrics.ts'
import type { Slot } from '../../src/supervisor/slot.ts'

describe('metrics of several processes', () => {
  it('have the series of each in one group, with one HELP and one TYPE', async () => {
    const texts = await Promise.all(
      ['gw', 'gw-2'].map(gateway => createMetrics(() => [], undefined, undefined, { gateway }).text()),
    )
    const lines = merged(texts).split('\n')
    const series = (text: string) => text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
    expect(lines.filter(line => line !== '' && !line.startsWith('#')).sort()).toEqual(texts.flatMap(series).sort())
    const names = lines.flatMap(line => /^# TYPE (\S+)/.exec(line)?.[1] ?? [])
    expect(new Set(names).size).toBe(names.length)
    // All series of a metric follow its TYPE.
    let current = ''
    for (const line of lines) {
      current = /^# TYPE (\S+)/.exec(line)?.[1] ?? current
      if (line !== '' && !line.startsWith('#')) expect(line.startsWith(current)).toBe(true)
    }
  })

  it.each([
    ['fails', () => Promise.reject(new Error('gone'))],
    ['hangs', () => new Promise<string>(() => {})],
  ])('lack those of a process that %s', async (_what, answer) => {
    const slots = [
      {
        state: 'ready',
        gateway: 'gw',
        restarts: 2,
        process: { metrics: async () => '# TYPE a gauge\na{gateway="gw"} 1\n' },
      },
      { state: 'ready', gateway: 'gw-2', restarts: 0, process: { metrics: answer } },
      { state: 'starting', gateway: 'gw-3', restarts: 1, process: undefined },
    ] as unknown as readonly Slot[]
    const text = await new ProcessMetrics(() => slots).text()
    expect(text).toContain('a{gateway="gw"} 1\n')
    expect(text).toContain('strongroom_processes{state="ready"} 2\n')
    expect(text).toContain('strongroom_processes{state="starting"} 1\n')
    expect(text).toContain('strongroom_process_restarts_total{gateway="gw"} 2\n')
    expect(text).not.toContain('a{gateway="gw-2"}')
  })
})
