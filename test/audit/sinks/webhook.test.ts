import dns from 'node:dns'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { type Item, TryLater } from '../../../src/audit/sinks/sink.ts'
import { WebhookSink } from '../../../src/audit/sinks/webhook.ts'
import type { WebhookSinkConfig } from '../../../src/config/audit-sinks.ts'
import { aRecord } from '../records.ts'
import { aCheckpoint, aRecordItem, configured, item, openJournal, ship } from './journals.ts'
import { makeTlsFiles, startHttps, tlsFiles } from './receivers.ts'

let remove = () => {}
beforeAll(() => {
  remove = makeTlsFiles()
})
afterAll(() => remove())
afterEach(() => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
})

const never = new AbortController().signal
const token = 'not-a-secret-but-shaped-like-one'

function sinkTo(url: string, settings: object = {}): WebhookSink {
  const { caFile } = tlsFiles
  return new WebhookSink(configured({ type: 'webhook', url, caFile, ...settings }) as WebhookSinkConfig)
}

function secretFile(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'secret-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'secret')
  writeFileSync(path, text)
  return path
}

describe('a webhook', () => {
  it('gets records and checkpoints as they are, with headers from files and variables', async () => {
    const { url, requests } = await startHttps()
    vi.stubEnv('SINK_KEY', token)
    const headers = {
      headerFiles: { Authorization: secretFile(`Bearer ${token}\n`) },
      headerVariables: { 'X-Key': 'SINK_KEY' },
    }
    await sinkTo(`${url}/events?a=b`, headers).deliver([aRecordItem(1), item(aCheckpoint()), aRecordItem(2)], never)
    const [{ method, path, headers: received, body } = requests[0]!] = requests
    expect([method, path]).toEqual(['POST', '/events?a=b'])
    expect(received).toMatchObject({
      authorization: `Bearer ${token}`,
      'x-key': token,
      'content-type': 'application/json',
      'content-length': `${body.length}`,
    })
    expect(JSON.parse(body.toString())).toEqual({ Records: [aRecord(1), aRecord(2)], Checkpoints: [aCheckpoint()] })
  })

  it('is found by a URL in a file or a variable, which is read anew each time', async () => {
    const [first, second] = [await startHttps(), await startHttps()]
    const urlFile = secretFile(`${first.url}/${token}`)
    const sink = sinkTo('', { url: undefined, urlFile })
    await sink.deliver([aRecordItem(1)], never)
    writeFileSync(urlFile, `${second.url}/${token}`)
    await sink.deliver([aRecordItem(2)], never)
    vi.stubEnv('SINK_URL', first.url)
    await sinkTo('', { url: undefined, urlVariable: 'SINK_URL' }).deliver([aRecordItem(3)], never)
    expect([first.requests.length, second.requests.length]).toEqual([2, 1])
  })

  it.each([
    ['http://192.0.2.1/', /not an https:\/\/ URL/],
    ['ftp://localhost/', /not an https:\/\/ URL/],
    [`https://user:${token}@localhost/`, /not an https:\/\/ URL/],
    ['', /does not hold a line of text/],
    ['two\nlines', /does not hold a line of text/],
  ])('with the URL %j in a file fails without showing it', async (text, reason) => {
    const failure = await failureOf(sinkTo('', { url: undefined, urlFile: secretFile(text) }))
    expect(failure.message).toMatch(reason)
    expect(failure.message).not.toContain(token)
  })

  it.each([301, 302, 307, 308])('that redirects (%i) fails, and the other place is not called', async status => {
    const other = await startHttps()
    const { url } = await startHttps(response => response.writeHead(status, { location: other.url }).end())
    expect((await failureOf(sinkTo(url))).message).toBe(`answered with status ${status}: redirects are not followed`)
    expect(other.requests).toEqual([])
  })

  it.each([400, 401, 403, 404, 500, 503])('that answers with %i fails, without what it says', async status => {
    const { url } = await startHttps((response, { headers }) =>
      response.writeHead(status).end(`you sent ${headers.authorization}`),
    )
    const failure = await failureOf(sinkTo(url, { headerFiles: { authorization: secretFile(token) } }))
    expect(failure.message).toBe(`answered with status ${status}`)
    expect(failure).not.toBeInstanceOf(TryLater)
  })

  it.each([
    [{ 'retry-after': '7' }, 7000],
    [{ 'retry-after': 'Sat, 28 Nov 2026 10:01:30 GMT', date: 'Sat, 28 Nov 2026 10:01:00 GMT' }, 30_000],
    [{ 'retry-after': 'Sat, 28 Nov 2026 10:00:00 GMT', date: 'Sat, 28 Nov 2026 10:01:00 GMT' }, 0],
    [{ 'retry-after': '999999999' }, 600_000],
    [{ 'retry-after': 'soon' }, undefined],
    [{ 'retry-after': '-5' }, undefined],
  ])('that asks for a pause by %j gets it: %s ms', async (headers, pause) => {
    const { url } = await startHttps(response => response.writeHead(429, headers).end())
    expect(await failureOf(sinkTo(url))).toMatchObject({
      message: 'answered with status 429',
      ...(pause !== undefined && { pause }),
    })
  })

  it.each<[string, Parameters<typeof startHttps>[0]]>([
    ['never answers', () => {}],
    ['never ends the answer of a failure', response => void response.writeHead(500).write('a')],
  ])('that %s fails in time', async (_, answer) => {
    const { url } = await startHttps(answer)
    await expect(sinkTo(url).deliver([aRecordItem(1)], AbortSignal.timeout(100))).rejects.toThrow()
  })

  it('whose answer is endless is not read to the end', async () => {
    const { url } = await startHttps(response => {
      const flood = () => {
        while (!response.destroyed && response.write('a'.repeat(65_536)));
      }
      response.writeHead(500)
      response.on('drain', flood)
      flood()
    })
    expect((await failureOf(sinkTo(url))).message).toBe('answered with status 500')
  })

  it('that cuts the connection fails with the reason', async () => {
    const { url } = await startHttps(response => response.socket!.destroy())
    expect((await failureOf(sinkTo(url))).message).toMatch(/socket hang up|ECONNRESET/)
  })

  it('whose name is never resolved fails in time', async () => {
    vi.spyOn(dns, 'lookup').mockImplementation((() => {}) as never)
    const delivery = sinkTo('https://audit.example/').deliver([aRecordItem(1)], AbortSignal.timeout(50))
    await expect(delivery).rejects.toThrow(/aborted/)
  })

  it('with a certificate of an unknown authority fails', async () => {
    const { url, requests } = await startHttps()
    expect((await failureOf(sinkTo(url, { caFile: undefined }))).message).toMatch(/self-signed certificate/)
    expect(requests).toEqual([])
  })

  it('gets bodies of at most its size, and of a longer record a short copy', async () => {
    const { url, requests } = await startHttps()
    const sink = sinkTo(url, { maxBodySize: '16KiB' })
    const items = Array.from({ length: 60 }, (_, i) => aRecordItem(i, { userAgent: 'é'.repeat(i === 30 ? 9000 : 500) }))
    for (const part of sink.parts(items)) await sink.deliver(part, never)
    expect(Math.max(...requests.map(({ body }) => body.length))).toBeLessThanOrEqual(16_384)
    const received = requests.flatMap(({ body }) => JSON.parse(body.toString()).Records)
    expect(received.map(({ eventID }) => eventID)).toEqual(items.map((_, i) => `${i}`))
    expect(received[30]).toMatchObject({
      additionalEventData: { strongroom: { shortened: { omitted: ['userAgent'] } } },
    })
  })

  it('that takes smaller bodies only (413) gets them', async () => {
    const { url, requests } = await startHttps((response, { body }) =>
      response.writeHead(body.length > 2000 ? 413 : 204).end(),
    )
    const items = Array.from({ length: 50 }, (_, i) => aRecordItem(i))
    await sinkTo(url).deliver(items, never)
    const taken = requests.filter(({ body }) => body.length <= 2000)
    const received = taken.flatMap(({ body }) => JSON.parse(body.toString()).Records as Item['line'][])
    expect(received).toEqual(items.map(({ line }) => line))
    const failure = await failureOf(sinkTo(url), [aRecordItem(1, { userAgent: 'a'.repeat(3000) })])
    expect(failure.message).toBe('answered with status 413 to one record: lower maxBodySize')
  })

  it('gets everything at last that it refused at first', async () => {
    const test = await openJournal()
    for (let i = 0; i < 5; i++) await test.append(aRecord(i))
    const { url, requests } = await startHttps((response, _, count) => response.writeHead(count < 4 ? 500 : 200).end())
    const { delivered, reports } = ship(test.path, sinkTo(url))
    await delivered(test.place)
    expect(reports.filter(report => 'failed' in report)).toHaveLength(3)
    expect(JSON.parse(requests.at(-1)!.body.toString()).Records).toHaveLength(5)
  })
})

async function failureOf(sink: WebhookSink, items: readonly Item[] = [aRecordItem(1)]): Promise<Error> {
  try {
    await sink.deliver(items, never)
  } catch (error) {
    return error as Error
  }
  throw new Error('delivered')
}
