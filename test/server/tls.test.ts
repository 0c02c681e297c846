import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { LogFields } from '../../src/log.ts'
import { listen, type RunningServer } from '../../src/server/listener.ts'
import type { TlsFiles } from '../../src/server/tls.ts'
import { hasOpenssl, makeCertificate } from './certificates.ts'
import { open } from './raw-requests.ts'

/** A certificate is renewed while the listener runs. */

let folder: string
let files: TlsFiles
let server: RunningServer | undefined
const errors: string[] = []
const log = { error: ({ event }: LogFields) => void errors.push(event), warn() {}, info() {} }

const pair = (name: string) => ({ certificateFile: join(folder, `${name}.crt`), keyFile: join(folder, `${name}.key`) })
const fingerprint = (file: string) => new X509Certificate(readFileSync(file)).fingerprint256

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-tls-'))
  files = pair('served')
  if (hasOpenssl) for (const name of ['first', 'second']) makeCertificate(pair(name))
})
afterEach(async () => {
  vi.useRealTimers()
  await server?.close()
  server = undefined
})
afterAll(() => rmSync(folder, { recursive: true }))

async function start(): Promise<RunningServer> {
  errors.length = 0
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
  put('first')
  const limits = { maxBodySize: 10, maxBodyMemory: 100, maxConnections: 10 }
  const respond = async () => ({ status: 200, headers: {}, body: 'ok' })
  server = await listen({ host: '127.0.0.1', port: 0, tls: files, ...limits, respond, log })
  return server
}

function put(name: string, parts: readonly (keyof TlsFiles)[] = ['certificateFile', 'keyFile']): void {
  for (const part of parts) {
    // As tools do that renew: a new file takes the place of the old one.
    copyFileSync(pair(name)[part], `${files[part]}.new`)
    renameSync(`${files[part]}.new`, files[part])
  }
}

/** Of the certificate that a new connection is shown. */
async function served(): Promise<string> {
  const socket = (await open(server!.url)) as TLSSocket
  const { fingerprint256 } = socket.getPeerCertificate()
  socket.destroy()
  return fingerprint256
}

const ask = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n'

describe.skipIf(!hasOpenssl)('a renewed certificate (made by openssl)', () => {
  it('is used for new connections within 10 seconds, and open ones continue', async () => {
    await start()
    const before = await open(server!.url)
    expect(await served()).toBe(fingerprint(pair('first').certificateFile))
    put('second')
    vi.advanceTimersByTime(10_000)
    expect(await served()).toBe(fingerprint(pair('second').certificateFile))
    before.write(ask)
    expect(String(await once(before, 'data'))).toMatch(/^HTTP\/1\.1 200 OK/)
    before.destroy()
    expect(errors).toEqual([])
  })

  it('is used at once after a reload', async () => {
    const { reload } = await start()
    put('second')
    reload()
    expect(await served()).toBe(fingerprint(pair('second').certificateFile))
  })

  it.each<[string, () => void]>([
    ['is there without its key', () => put('second', ['certificateFile'])],
    ['is no certificate', () => writeFileSync(files.certificateFile, 'nonsense')],
    ['is empty', () => writeFileSync(files.certificateFile, '')],
    ['is gone', () => rmSync(files.certificateFile)],
    ['has a key that is none', () => writeFileSync(files.keyFile, 'nonsense')],
    [
      'has a key that others can read',
      () => {
        put('second')
        chmodSync(files.keyFile, 0o644)
      },
    ],
  ])('that %s has no effect, is logged, and is used once it is complete', async (_, spoil) => {
    await start()
    spoil()
    vi.advanceTimersByTime(30_000)
    expect(await served()).toBe(fingerprint(pair('first').certificateFile))
    expect(errors).toEqual(['tls_reload_failed'])
    put('second')
    vi.advanceTimersByTime(10_000)
    expect(await served()).toBe(fingerprint(pair('second').certificateFile))
  })
})
