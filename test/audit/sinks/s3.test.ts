import { createHmac, hash } from 'node:crypto'
import dns from 'node:dns'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { S3Sink } from '../../../src/audit/sinks/s3.ts'
import type { Item } from '../../../src/audit/sinks/sink.ts'
import type { S3SinkConfig } from '../../../src/config/audit-sinks.ts'
import { aCheckpoint, aRecordItem, configured, item } from './journals.ts'
import { makeTlsFiles, type Received, startHttps, tlsFiles } from './receivers.ts'

const secretAccessKey = 'not-a-secret-access-key'
let folder: string
let remove = () => {}
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 's3-sink-'))
  writeFileSync(join(folder, 'secret'), `${secretAccessKey}\n`)
  remove = makeTlsFiles()
})
afterAll(() => {
  remove()
  rmSync(folder, { recursive: true })
})

const never = new AbortController().signal

function sinkTo(endpoint: string | undefined, settings: object = {}): S3Sink {
  const { caFile } = tlsFiles
  const common = {
    bucket: 'audit',
    region: 'eu-west-1',
    accessKeyId: 'AKIATEST',
    secretAccessKeyFile: join(folder, 'secret'),
  }
  return new S3Sink(configured({ type: 's3', endpoint, caFile, ...common, ...settings }) as S3SinkConfig)
}

async function deliver(sink: S3Sink, items: readonly Item[]): Promise<void> {
  for (const part of sink.parts(items)) await sink.deliver(part, never)
}

const ofAccount = (recipientAccountId: string | undefined, awsRegion: string | undefined) => ({
  recipientAccountId,
  awsRegion,
})

describe('storage with the API of S3', () => {
  it('gets the records of each account and region in an object named as those of CloudTrail, gzipped', async () => {
    const { url, requests } = await startHttps()
    const items = [
      aRecordItem(1, ofAccount('111122223333', 'eu-west-1')),
      aRecordItem(2, ofAccount('111122223333', 'us-east-1')),
      aRecordItem(3, ofAccount('111122223333', 'eu-west-1')),
      aRecordItem(4, ofAccount(undefined, undefined)),
    ]
    await deliver(sinkTo(url, { prefix: 'a/b' }), items)
    expect(requests.map(({ method, path }) => `${method} ${path.replace(/_[0-9a-f]{16}\./, '_UNIQUE.')}`)).toEqual([
      'PUT /audit/a/b/AWSLogs/111122223333/CloudTrail/eu-west-1/2025/01/02/111122223333_CloudTrail_eu-west-1_20250102T0304Z_UNIQUE.json.gz',
      'PUT /audit/a/b/AWSLogs/111122223333/CloudTrail/us-east-1/2025/01/02/111122223333_CloudTrail_us-east-1_20250102T0304Z_UNIQUE.json.gz',
      'PUT /audit/a/b/AWSLogs/strongroom/CloudTrail/global/2025/01/02/strongroom_CloudTrail_global_20250102T0304Z_UNIQUE.json.gz',
    ])
    expect(requests[0]!.headers).toMatchObject({ 'content-type': 'application/json', 'content-encoding': 'gzip' })
    const contents = requests.map(({ body }) => JSON.parse(gunzipSync(body).toString()))
    expect(contents[0]).toEqual({
      Records: [items[0]!.line, items[2]!.line].map(line => JSON.parse(JSON.stringify(line))),
    })
    expect(contents.map(({ Records }) => Records.length)).toEqual([2, 1, 1])
  })

  it('gets checkpoints as lines of an object of their own', async () => {
    const { url, requests } = await startHttps()
    const items = [item(aCheckpoint(1)), item(aCheckpoint(2))]
    await deliver(sinkTo(url), items)
    expect(requests).toHaveLength(1)
    expect(requests[0]!.path).toMatch(
      /^\/audit\/AWSLogs\/strongroom\/Checkpoints\/2026\/11\/28\/strongroom_Checkpoints_20261128T1000Z_[0-9a-f]{16}\.jsonl$/,
    )
    expect(requests[0]!.body.toString()).toBe(items.map(({ text }) => `${text}\n`).join(''))
  })

  it('gets the same objects again, not others, when a delivery is repeated', async () => {
    const { url, requests } = await startHttps()
    const items = [aRecordItem(1), aRecordItem(2)]
    await deliver(sinkTo(url), items)
    await deliver(sinkTo(url), items)
    expect(requests[0]!.path).toBe(requests[1]!.path)
    expect(requests[0]!.body).toEqual(requests[1]!.body)
    await deliver(sinkTo(url), [aRecordItem(2)])
    expect(requests[2]!.path).not.toBe(requests[1]!.path)
  })

  it.each(['', "a b/(c)!*'".replace(' ', '')])('gets signed requests, with the prefix %j', async prefix => {
    const { url, requests } = await startHttps()
    await deliver(sinkTo(url, { prefix }), [aRecordItem(1)])
    const [request] = requests
    const { headers, body } = request!
    expect(headers['x-amz-content-sha256']).toBe(hash('sha256', body, 'hex'))
    expect(headers['x-amz-checksum-sha256']).toBe(hash('sha256', body, 'base64'))
    expect(headers.authorization).toContain(`Signature=${signatureOf(request!, 'eu-west-1')}`)
  })

  it('fails with the code of the error, and nothing else that the storage says', async () => {
    const { url } = await startHttps((response, { headers }) =>
      response
        .writeHead(403)
        .end(`<Error><Code>AccessDenied</Code><Message>${headers.authorization}</Message></Error>`),
    )
    await expect(deliver(sinkTo(url), [aRecordItem(1)])).rejects.toThrow(/^answered with status 403 AccessDenied$/)
  })

  it.each([
    [{}, 's3.eu-west-1.amazonaws.com'],
    [{ pathStyle: false }, 'audit.s3.eu-west-1.amazonaws.com'],
    [{ endpoint: 'https://minio.example:9000' }, 'minio.example'],
    [{ endpoint: 'https://minio.example:9000', pathStyle: false }, 'audit.minio.example'],
  ])('with the settings %j is called at %s', async (settings, host) => {
    const lookup = vi
      .spyOn(dns, 'lookup')
      .mockImplementation(((_host: string, _options: object, done: (error: Error) => void) =>
        done(new Error('not looked up'))) as never)
    await expect(deliver(sinkTo(undefined, settings), [aRecordItem(1)])).rejects.toThrow('not looked up')
    expect(lookup.mock.calls.map(([name]) => name)).toEqual([host])
    lookup.mockRestore()
  })
})

/** AWS General Reference, "Create a signed AWS API request", step by step. */
function signatureOf({ method, path, headers }: Received, region: string): string {
  const [, scope, signed] = /Credential=[^/]+\/([^,]+), SignedHeaders=([^,]+),/.exec(headers.authorization!)!
  const names = signed!.split(';')
  const lines = names.map(name => `${name}:${headers[name]}\n`).join('')
  const canonical = [method, path, '', lines, signed, headers['x-amz-content-sha256']].join('\n')
  const text = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, hash('sha256', canonical, 'hex')].join('\n')
  const parts = [scope!.split('/')[0]!, region, 's3', 'aws4_request']
  const key = parts.reduce<Buffer>(
    (key, part) => createHmac('sha256', key).update(part).digest(),
    Buffer.from(`AWS4${secretAccessKey}`),
  )
  return createHmac('sha256', key).update(text).digest('hex')
}
