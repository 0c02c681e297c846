/** One HTTP request: within a time, without following redirects, with an answer of limited size. */
import { readFileSync } from 'node:fs'
import { type IncomingHttpHeaders, type IncomingMessage, request as plainRequest, type RequestOptions } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { TryLater } from './sink.ts'

/** PEM files. */
export interface TlsFiles {
  readonly caFile?: string
  readonly certificateFile?: string
  readonly keyFile?: string
}

export interface Request {
  readonly method: 'POST' | 'PUT'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  readonly tls: TlsFiles
  readonly signal: AbortSignal
}

/** Bytes of an answer that are read. */
const longestAnswer = 65_536
/** Milliseconds: a receiver may not ask for a longer pause. */
const longestPause = 10 * 60_000

/**
 * Resolves to the status of the answer if that is 2xx or one of `known`; rejects for any other. What the receiver writes is not part of an error, as it
 * may repeat a secret.
 *
 * @param known statuses that the caller understands
 */
export async function request(
  { method, url, headers, body, tls, signal }: Request,
  known: readonly number[] = [],
): Promise<number> {
  const options: RequestOptions = {
    method,
    headers: { ...headers, 'content-length': body.length },
    agent: false,
    signal,
  }
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent =
      url.protocol === 'http:'
        ? plainRequest(url, options, resolve)
        : tlsRequest(url, { ...options, ...readTls(tls) }, resolve)
    sent.on('error', reject)
    sent.end(body)
  })
  const status = response.statusCode!
  try {
    // Read in any case: a receiver may stop its work when the connection is closed early.
    const text = await beginningOf(response)
    if ((status >= 200 && status < 300) || known.includes(status)) return status
    throw refusal(status, pauseOf(response.headers), text)
  } finally {
    response.destroy()
  }
}

export function readTls({ caFile, certificateFile, keyFile }: TlsFiles) {
  return {
    ...(caFile !== undefined && { ca: readFileSync(caFile) }),
    ...(certificateFile !== undefined && { cert: readFileSync(certificateFile) }),
    ...(keyFile !== undefined && { key: readFileSync(keyFile) }),
  }
}

async function beginningOf(response: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = []
  let length = 0
  try {
    for await (const piece of response as AsyncIterable<Buffer>) {
      pieces.push(piece)
      length += piece.length
      if (length > longestAnswer) break
    }
  } catch {
    // The status is known: that is what matters.
  }
  return Buffer.concat(pieces).toString()
}

/** @param pause milliseconds; NaN if none is asked for */
function refusal(status: number, pause: number, text: string): Error {
  // Of S3 (S3 API Reference, "Error responses").
  const code = /<Code>(\w{1,64})<\/Code>/.exec(text)?.[1]
  const hint = status >= 300 && status < 400 ? ': redirects are not followed' : ''
  const message = `answered with status ${status}${code === undefined ? '' : ` ${code}`}${hint}`
  return Number.isNaN(pause) ? new Error(message) : new TryLater(message, Math.min(Math.max(pause, 0), longestPause))
}

/** Of Retry-After (RFC 9110, section 10.2.3): seconds, or a date by the clock of the receiver. */
function pauseOf({ 'retry-after': retryAfter = '', date = '' }: IncomingHttpHeaders): number {
  return /^\d{1,9}$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - Date.parse(date)
}
