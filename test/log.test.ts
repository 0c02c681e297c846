import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createLog, type LogFields } from '../src/log.ts'

/** The log alone: logging never fails. With a gateway: test/end-to-end/log.test.ts. */

function logTo(write: Writable['_write'], level = 'info') {
  let dropped = 0
  const log = createLog(level, () => dropped++, 'gw', new Writable({ write, autoDestroy: false, emitClose: false }))
  return { log, dropped: () => dropped }
}

describe('the log', () => {
  it('writes JSON lines, with secrets redacted', async () => {
    const lines: string[] = []
    const { log } = logTo((line, _, done) => {
      lines.push(String(line))
      done()
    })
    log.warn({ event: 'test', hsm: 'softhsm', pin: '1234', request: { authorization: 'x' } }, 'words')
    const [line, ...others] = lines
    expect(others).toEqual([])
    expect(JSON.parse(line!)).toMatchObject({ level: 40, event: 'test', msg: 'words', hsm: 'softhsm', pin: '[secret]' })
    expect(line).not.toContain('"x"')
  })

  it('counts the lines that cannot be written', async () => {
    const { log, dropped } = logTo((_line, _, done) => done(new Error('ENOSPC')))
    for (let count = 0; count < 3; count++) log.info({ event: 'test' }, 'line')
    await new Promise(setImmediate)
    expect(dropped()).toBe(3)
  })

  it('buffers no more than 1 MiB if standard error is not read', () => {
    const { log, dropped } = logTo(() => {})
    for (let count = 0; count < 3000; count++) log.info({ event: 'test', text: 'x'.repeat(1000) }, 'line')
    expect(dropped()).toBeGreaterThan(1500)
    expect(dropped()).toBeLessThan(2500)
  })

  it('does not throw for fields that cannot be serialized', () => {
    const { log, dropped } = logTo((_line, _, done) => done())
    const wicked = Object.defineProperty({ event: 'test' }, 'field', {
      enumerable: true,
      get() {
        throw new Error('no')
      },
    })
    const circle: LogFields & Record<string, unknown> = { event: 'test' }
    circle.self = circle
    for (const fields of [wicked, circle, { event: 'test', big: 1n }, { event: 'test', err: null }])
      log.error(fields, 'line')
    expect(dropped()).toBeLessThanOrEqual(2)
  })
})
