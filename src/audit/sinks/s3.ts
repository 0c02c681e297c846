/** Storage with the API of Amazon S3: objects with the names and the content of CloudTrail's log files. */
import { createHash, createHmac, hash } from 'node:crypto'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { SignatureV4 } from '@smithy/signature-v4'
import type { S3SinkConfig } from '../../config/audit-sinks.ts'
import type { AuditRecord } from '../entry.ts'
import { isRecord } from '../format.ts'
import { request } from './request.ts'
import { secret } from './secret.ts'
import { type Item, type Sink, timeOf } from './sink.ts'

const compressed = promisify(gzip)

/** Of what belongs to no account or region, such as the start of the gateway. */
const noAccount = 'strongroom'
const noRegion = 'global'

export class S3Sink implements Sink {
  readonly batchSize = 8 * 1024 * 1024
  readonly #config: S3SinkConfig

  constructor(config: S3SinkConfig) {
    this.#config = config
  }

  /** An object has the records of one account and region, or checkpoints. */
  parts(items: readonly Item[]): readonly (readonly Item[])[] {
    return [...Map.groupBy(items, folderOf).values()]
  }

  async deliver(items: readonly Item[], signal: AbortSignal): Promise<void> {
    const isOfRecords = isRecord(items[0]!.line)
    const texts = items.map(({ text }) => text)
    const body = isOfRecords
      ? await compressed(`{"Records":[${texts.join(',')}]}`)
      : Buffer.from(texts.map(text => `${text}\n`).join(''))
    const headers = isOfRecords
      ? { 'content-type': 'application/json', 'content-encoding': 'gzip' }
      : { 'content-type': 'application/jsonl' }
    const { url, path } = this.#placeOf(objectName(items[0]!))
    const request = { method: 'PUT' as const, protocol: url.protocol, hostname: url.hostname, path, body, query: {} }
    const checksum = createHash('sha256').update(body).digest('base64')
    await this.#send(
      url,
      { ...request, headers: { ...headers, host: url.host, 'x-amz-checksum-sha256': checksum } },
      signal,
    )
  }

  async #send(url: URL, unsigned: Parameters<SignatureV4['sign']>[0] & { readonly body: Buffer }, signal: AbortSignal) {
    const { region, accessKeyId, secretAccessKeyFile, secretAccessKeyVariable, caFile } = this.#config
    const secretAccessKey = secret(secretAccessKeyFile, secretAccessKeyVariable)
    const credentials = { accessKeyId, secretAccessKey }
    const signer = new SignatureV4({ service: 's3', region, credentials, sha256: Sha256, uriEscapePath: false })
    const { headers } = await signer.sign(unsigned)
    const tls = caFile === undefined ? {} : { caFile }
    await request({ method: 'PUT', url, headers, body: unsigned.body, tls, signal })
  }

  #placeOf(name: string): { readonly url: URL; readonly path: string } {
    const { endpoint, bucket, region, pathStyle, prefix } = this.#config
    const base = new URL(endpoint ?? `https://s3.${region}.amazonaws.com`)
    if (!pathStyle) base.hostname = `${bucket}.${base.hostname}`
    const folder = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`
    const path = `${pathStyle ? `/${bucket}` : ''}/${encoded(`${folder}${name}`)}`
    return { url: new URL(path, base), path }
  }
}

/** AWS General Reference, "Create a canonical request": each byte but unreserved characters and slashes. */
function encoded(key: string): string {
  return encodeURIComponent(key)
    .replaceAll('%2F', '/')
    .replace(/[!'()*]/g, character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
}

function folderOf({ line }: Item): string {
  return isRecord(line) ? `${accountOf(line)}/CloudTrail/${regionOf(line)}` : `${noAccount}/Checkpoints`
}

/**
 * CloudTrail User Guide, "CloudTrail log file name format"; with the time of the first line instead of that of the delivery, and a unique string
 * that comes from it: an object that is delivered again replaces the first one.
 */
function objectName(first: Item): string {
  const { line, text } = first
  const [year, month, day, hour, minute] = new Date(timeOf(first)).toISOString().split(/\D/)
  const time = `${year}${month}${day}T${hour}${minute}Z`
  const unique = hash('sha256', text, 'hex').slice(0, 16)
  const file = isRecord(line)
    ? `${accountOf(line)}_CloudTrail_${regionOf(line)}_${time}_${unique}.json.gz`
    : `${noAccount}_Checkpoints_${time}_${unique}.jsonl`
  return `AWSLogs/${folderOf(first)}/${year}/${month}/${day}/${file}`
}

function accountOf({ recipientAccountId = noAccount }: AuditRecord): string {
  return recipientAccountId
}

function regionOf({ awsRegion = noRegion }: AuditRecord): string {
  return awsRegion
}

/** What the signer wants of a hash. */
class Sha256 {
  readonly #hash: ReturnType<typeof createHash> | ReturnType<typeof createHmac>

  constructor(key?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = key === undefined ? createHash('sha256') : createHmac('sha256', key as NodeJS.ArrayBufferView)
  }

  update(data: string | Uint8Array): void {
    this.#hash.update(data)
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest()
  }

  reset(): void {}
}
