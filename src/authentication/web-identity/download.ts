/** Downloads a document of an identity provider, within limits: whoever sends a token can cause it. */
import { get } from 'node:https'
import { hostLookup } from './host-lookup.ts'

const lookup = hostLookup()

/** Bytes. Key sets have a few thousand. */
export const longestDocument = 262_144

/**
 * Resolves to the JSON document. Rejects with an Error for anything but an answer with status 200: redirects are not followed, so that a
 * provider cannot make the gateway call other hosts.
 *
 * @param ca PEM certificates of the authorities to trust, instead of those of Node.js
 * @param timeout milliseconds until the last byte of the answer
 */
export async function download(url: string, ca: string | undefined, timeout: number): Promise<unknown> {
  const signal = AbortSignal.timeout(timeout)
  const response = await new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
    const headers = { accept: 'application/json' }
    get(url, { signal, headers, agent: false, lookup, ...(ca !== undefined && { ca }) }, resolve).on('error', reject)
  })
  try {
    if (response.statusCode !== 200) throw new Error(`${url} answered with status ${response.statusCode}`)
    const pieces: Buffer[] = []
    let length = 0
    for await (const piece of response as AsyncIterable<Buffer>) {
      length += piece.length
      if (length > longestDocument) throw new Error(`${url} answered with more than ${longestDocument} bytes`)
      pieces.push(piece)
    }
    return JSON.parse(Buffer.concat(pieces).toString())
  } finally {
    response.destroy()
  }
}
