/** Receivers on this machine, with a certificate of their own. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createHttps } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTls, type TLSSocket } from 'node:tls'
import { onTestFinished } from 'vitest'
import { makeCertificate } from '../../server/certificates.ts'

/** PEM files of a certificate that is its own authority. */
export const tlsFiles = { caFile: '', certificateFile: '', keyFile: '' }

/** @returns removes them */
export function makeTlsFiles(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'receivers-'))
  tlsFiles.certificateFile = join(folder, 'tls.crt')
  tlsFiles.keyFile = join(folder, 'tls.key')
  tlsFiles.caFile = tlsFiles.certificateFile
  makeCertificate(tlsFiles)
  return () => rmSync(folder, { recursive: true })
}

const pem = () => ({ cert: readFileSync(tlsFiles.certificateFile), key: readFileSync(tlsFiles.keyFile) })

async function listening(server: Server): Promise<number> {
  const sockets = new Set<{ destroy(): void }>()
  server.on('connection', socket => sockets.add(socket))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  await new Promise<void>(resolve => server.listen(0, resolve))
  return (server.address() as AddressInfo).port
}

export interface SyslogReceiver {
  readonly port: number
  /** Messages of connections that their senders have ended, without their lengths. */
  readonly messages: string[]
}

/** @param behave what is done with a new connection; default: it is read to its end */
export async function startSyslog(behave?: (socket: TLSSocket) => void): Promise<SyslogReceiver> {
  const messages: string[] = []
  const server = createTls(pem(), socket => {
    socket.on('error', () => {})
    if (behave !== undefined) {
      behave(socket)
      return
    }
    const pieces: Buffer[] = []
    socket.on('data', piece => pieces.push(piece))
    socket.on('end', () => messages.push(...unframed(Buffer.concat(pieces))))
  })
  return { port: await listening(server), messages }
}

/** RFC 5425, section 4.3: each message after its length. */
export function unframed(bytes: Buffer): string[] {
  const messages: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(' ', at)
    const length = Number(bytes.toString('latin1', at, space))
    if (!Number.isInteger(length) || length <= 0 || space + 1 + length > bytes.length) throw new Error('not framed')
    messages.push(bytes.toString('utf8', space + 1, space + 1 + length))
    at = space + 1 + length
  }
  return messages
}

export interface Received {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

export interface HttpReceiver {
  readonly url: string
  readonly requests: Received[]
}

/** @param answer default: 200 */
export async function startHttps(
  answer: (response: ServerResponse, request: Received, count: number) => void = response => response.end(),
): Promise<HttpReceiver> {
  const requests: Received[] = []
  const server = createHttps(pem(), async (request, response) => {
    const body = Buffer.concat(await request.toArray().catch(() => []))
    const received = { method: request.method!, path: request.url!, headers: request.headers, body }
    requests.push(received)
    answer(response, received, requests.length)
  })
  return { url: `https://localhost:${await listening(server)}`, requests }
}
