/** An HTTPS endpoint: a POST for each batch, with `{"Records": [...], "Checkpoints": [...]}`. */
import type { WebhookSinkConfig } from '../../config/audit-sinks.ts'
import { isSecureUrl } from '../../config/urls.ts'
import { isRecord } from '../format.ts'
import { request } from './request.ts'
import { secret } from './secret.ts'
import { shortenedRecord } from './shortened-record.ts'
import type { Item, Sink } from './sink.ts'

/** RFC 9110, section 15.5.14. */
const contentTooLarge = 413

export class WebhookSink implements Sink {
  readonly batchSize: number
  readonly #config: WebhookSinkConfig

  constructor(config: WebhookSinkConfig) {
    this.#config = config
    this.batchSize = config.maxBodySize
  }

  /** Bodies of at most `maxBodySize`. */
  parts(items: readonly Item[]): readonly (readonly Item[])[] {
    const longest = this.#config.maxBodySize - Buffer.byteLength(bodyOf([]))
    const parts: Item[][] = []
    let room = 0
    for (const item of items) {
      const fitting = fitted(item, longest)
      const length = Buffer.byteLength(fitting.text) + 1
      if (length > room) {
        parts.push([])
        room = longest
      }
      parts.at(-1)!.push(fitting)
      room -= length
    }
    return parts
  }

  async deliver(items: readonly Item[], signal: AbortSignal): Promise<void> {
    if ((await this.#post(bodyOf(items), signal)) !== contentTooLarge) return
    if (items.length === 1) throw new Error(`answered with status ${contentTooLarge} to one record: lower maxBodySize`)
    const half = items.length >>> 1
    await this.deliver(items.slice(0, half), signal)
    await this.deliver(items.slice(half), signal)
  }

  async #post(body: string, signal: AbortSignal): Promise<number> {
    const { url, urlFile, urlVariable, headerFiles, headerVariables } = this.#config
    const target = url ?? secret(urlFile, urlVariable)
    if (!isSecureUrl(target)) throw new Error('the URL is not an https:// URL')
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'strongroom',
      ...mapped(headerFiles, file => secret(file, undefined)),
      ...mapped(headerVariables, variable => secret(undefined, variable)),
    }
    const options = { method: 'POST', url: new URL(target), headers, tls: this.#config, signal } as const
    return request({ ...options, body: Buffer.from(body) }, [contentTooLarge])
  }
}

function bodyOf(items: readonly Item[]): string {
  const [records, checkpoints] = [true, false].map(wanted => items.filter(({ line }) => isRecord(line) === wanted))
  const list = (items: readonly Item[]) => `[${items.map(({ text }) => text).join(',')}]`
  return `{"Records":${list(records!)},"Checkpoints":${list(checkpoints!)}}`
}

function fitted(item: Item, longest: number): Item {
  const { text, line } = item
  const isLong = isRecord(line) && Buffer.byteLength(text) + 1 > longest
  return isLong ? { line, text: shortenedRecord(line, text, longest - 1) } : item
}

function mapped(names: Readonly<Record<string, string>>, value: (name: string) => string): Record<string, string> {
  return Object.fromEntries(Object.entries(names).map(([header, name]) => [header, value(name)]))
}
