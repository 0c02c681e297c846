import { hash } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { shortenedRecord } from '../../../src/audit/sinks/shortened-record.ts'
import { messageOf, SyslogSink } from '../../../src/audit/sinks/syslog.ts'
import type { SyslogSinkConfig } from '../../../src/config/audit-sinks.ts'
import { aRecord } from '../records.ts'
import { aCheckpoint, aRecordItem, configured, item, openJournal, ship } from './journals.ts'
import { makeTlsFiles, startSyslog, tlsFiles } from './receivers.ts'

let remove = () => {}
beforeAll(() => {
  remove = makeTlsFiles()
})
afterAll(() => remove())

function configOf(settings: object): SyslogSinkConfig {
  const { caFile } = tlsFiles
  return configured({ type: 'syslog', host: '127.0.0.1', caFile, ...settings }) as SyslogSinkConfig
}

const never = new AbortController().signal

/** RFC 5424, section 6: HEADER SP STRUCTURED-DATA [SP MSG], with nothing that is optional left out. */
const message =
  /^<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) - (.*)$/s

describe('a message', () => {
  it.each([
    [{}, '<110>', 'Encrypt'],
    [{ errorCode: 'AccessDenied' }, '<108>', 'Encrypt'],
    [{ eventName: undefined }, '<110>', '-'],
    [{ eventName: 'Déchiffrer le message, qui est très très long' }, '<110>', 'Dchiffrerlemessage,quiesttrstrsl'],
  ])('of the record %j begins with %s and has the id %s', (rest, priority, id) => {
    const record = aRecord(1, rest)
    const [, , time, , app, process, messageId, text] = message.exec(messageOf(item(record), configOf({})))!
    expect(messageOf(item(record), configOf({}))).toMatch(new RegExp(`^${priority}1 `))
    expect([time, app, process, messageId]).toEqual([record.eventTime, 'strongroom', '-', id])
    expect(JSON.parse(text!)).toEqual(JSON.parse(JSON.stringify(record)))
  })

  it('has the facility of the configuration, and of a checkpoint its name', () => {
    const text = messageOf(item(aCheckpoint()), configOf({ facility: 'local7' }))
    expect(message.exec(text)!.slice(1, 7)).toEqual([
      '190',
      '2026-11-28T10:00:00.000Z',
      expect.any(String),
      'strongroom',
      '-',
      'checkpoint',
    ])
    expect(text).toContain(JSON.stringify(aCheckpoint()))
  })

  it('is never longer than the receiver takes, in bytes, and says which event it is and what is left out', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 5000 })
    const members = fc.record(
      {
        userAgent: text,
        errorMessage: text,
        requestParameters: fc.dictionary(fc.string({ maxLength: 8 }), text, { maxKeys: 4 }),
        userIdentity: fc.record({ arn: text }),
        additionalEventData: fc.record({
          reasons: fc.array(text, { maxLength: 5 }),
          strongroom: fc.constant({ hsm: 'a' }),
        }),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(members, fc.integer({ min: 2048, max: 9000 }), (rest, maxMessageSize) => {
        const record = aRecordItem(1, rest)
        const sent = messageOf(record, configOf({ maxMessageSize: `${maxMessageSize}B` }))
        expect(Buffer.byteLength(sent)).toBeLessThanOrEqual(maxMessageSize)
        const received = JSON.parse(message.exec(sent)![7]!)
        const { eventID, requestID, eventTime, eventName } = aRecord(1)
        expect(received).toMatchObject({ eventID, requestID, eventTime, eventName })
        const shortened = received.additionalEventData?.strongroom?.shortened
        if (shortened === undefined) expect(received).toEqual(JSON.parse(record.text))
        else
          expect(shortened).toMatchObject({
            bytes: Buffer.byteLength(record.text),
            sha256: hash('sha256', record.text),
          })
      }),
      { numRuns: 30 },
    )
  })

  it('keeps everything but the longest members', () => {
    const record = aRecord(1, {
      errorCode: 'AccessDenied',
      requestParameters: { encryptionContext: { a: 'b'.repeat(3000) } },
      additionalEventData: { reasons: ['no'], strongroom: { hsm: 'one' } },
    })
    const short = JSON.parse(shortenedRecord(record, JSON.stringify(record), 2000))
    expect(short.errorCode).toBe('AccessDenied')
    expect(short.requestParameters).toBeUndefined()
    expect(short.additionalEventData).toEqual({
      reasons: ['no'],
      strongroom: { hsm: 'one', shortened: expect.objectContaining({ omitted: ['requestParameters'] }) },
    })
  })
})

describe('a syslog receiver', () => {
  it('gets each line as a message, with octet counting', async () => {
    const { port, messages } = await startSyslog()
    const items = [aRecordItem(1, { userAgent: 'Zürich\n✓' }), item(aCheckpoint()), aRecordItem(2)]
    await new SyslogSink(configOf({ port }), 200).deliver(items, never)
    expect(messages.map(text => message.exec(text)![7])).toEqual(items.map(({ text }) => text))
  })

  it('gets more than fits into the buffers of a connection', async () => {
    const { port, messages } = await startSyslog()
    const items = Array.from({ length: 1000 }, (_, i) => aRecordItem(i, { userAgent: 'a'.repeat(3000) }))
    await new SyslogSink(configOf({ port }), 200).deliver(items, never)
    expect(messages).toHaveLength(1000)
  })

  /** Bytes that fit into the buffers of a connection, and bytes that do not. */
  describe.each([10_000, 3_000_000])('that closes the connection of a batch of %i bytes', bytes => {
    it.each<[string, (socket: TLSSocket) => void]>([
      ['at once', socket => socket.destroy()],
      ['in an orderly way, without reading', socket => socket.end()],
      ['later, without reading', socket => void setTimeout(() => socket.pause().destroy(), 50)],
    ])('%s gets everything again', async (_, cut) => {
      const test = await openJournal()
      const userAgent = 'a'.repeat(bytes / 10)
      for (let i = 0; i < 10; i++) await test.append(aRecord(i, { userAgent }))
      let connections = 0
      const settings = { maxMessageSize: '1MiB' }
      const broken = await startSyslog(socket => {
        connections++
        cut(socket)
      })
      const whole = await startSyslog()
      const [first, second] = [broken, whole].map(({ port }) => new SyslogSink(configOf({ ...settings, port }), 200))
      const { batchSize } = first!
      const deliver: SyslogSink['deliver'] = (...args) => (connections < 1 ? first! : second!).deliver(...args)
      const { delivered, reports } = ship(test.path, { batchSize, deliver })
      await delivered(test.place)
      expect(reports.filter(report => 'failed' in report)).toHaveLength(1)
      const received = whole.messages.map(text => JSON.parse(message.exec(text)![7]!).eventID)
      expect(received).toEqual(Array.from({ length: 10 }, (_, i) => `${i}`))
    })
  })

  it.each<[string, (socket: TLSSocket) => void]>([
    ['never reads', socket => socket.pause()],
    ['reads and never closes', socket => socket.resume().on('end', () => {})],
  ])('that %s fails in time', async (_, stall) => {
    const { port } = await startSyslog(socket => {
      socket.allowHalfOpen = true
      stall(socket)
    })
    const aborted = AbortSignal.timeout(400)
    await expect(new SyslogSink(configOf({ port }), 200).deliver([aRecordItem(1)], aborted)).rejects.toThrow(
      'no answer',
    )
  })

  it('must have a certificate of the authority, for the name of the host', async () => {
    const { port } = await startSyslog()
    const deliver = (settings: object) =>
      new SyslogSink(configOf({ port, ...settings }), 200).deliver([aRecordItem(1)], never)
    await expect(deliver({ caFile: undefined })).rejects.toThrow(/self-signed certificate/)
    await expect(deliver({ host: '127.0.0.2' })).rejects.toThrow(/IP: 127.0.0.2 is not in the cert's list/)
    await expect(deliver({ caFile: '/nowhere' })).rejects.toThrow(/ENOENT/)
  })

  it('that is not there fails with the reason', async () => {
    await expect(new SyslogSink(configOf({ port: 1 }), 200).deliver([aRecordItem(1)], never)).rejects.toThrow(
      /ECONNREFUSED/,
    )
  })
})
