/** An XKS proxy for tests, by the specification; signatures are verified with the signer of AWS's SDK. It misbehaves if it is told to. */
import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { SignatureV4 } from '@smithy/signature-v4'
import { ciphertextDataIntegrityValue, hsmAad } from '../../src/model/xks/integrity.ts'
import { parseXksPath } from '../../src/model/xks/uris.ts'
import { makeCertificate } from '../server/certificates.ts'

// biome-ignore lint/suspicious/noExplicitAny: JSON of the other side
export type Json = any

export interface Answer {
  status: number
  body: Json
}

export const region = 'us-east-1'
export const credential = {
  accessKeyId: 'ABCDEFGHIJKLMNOPQRST',
  secretAccessKey: 'not-a-secret/of+a+proxy/not-a-secret/of+a+proxy',
}

export interface TestProxy {
  /** Of certificateFile and keyFile; the certificate is for localhost. */
  readonly files: { readonly certificateFile: string; readonly keyFile: string }
  /** `127.0.0.1:port` */
  readonly address: string
  /** What came, without the signatures. */
  readonly requests: { path: string; body: Json }[]
  /** Connections that were made. */
  connections: number
  /** Changes what the proxy answers; or answers itself, and returns undefined. */
  change: (answer: Answer, request: IncomingMessage, response: ServerResponse) => Answer | undefined
  /** The credential that it knows. */
  credential: typeof credential
  /** Milliseconds by which its clock is ahead. */
  skew: number
  /** Ends its connections; it goes on listening. */
  disconnect(): void
  close(): Promise<void>
}

/** @param pem those of a former one; new ones by default */
export async function startTestProxy(port = 0, pem?: { certificate: Buffer; key: Buffer }): Promise<TestProxy> {
  const folder = mkdtempSync(join(tmpdir(), 'test-proxy-'))
  const files = { certificateFile: join(folder, 'certificate.pem'), keyFile: join(folder, 'key.pem') }
  if (pem) {
    writeFileSync(files.certificateFile, pem.certificate)
    writeFileSync(files.keyFile, pem.key)
  } else makeCertificate(files)
  const keys = new Map<string, Buffer>()
  const sockets = new Set<Duplex>()
  const server = createServer({ cert: readFileSync(files.certificateFile), key: readFileSync(files.keyFile) })
  server.on('connection', socket => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
  })
  server.on('secureConnection', () => void proxy.connections++)
  server.on('tlsClientError', () => {})
  server.on('request', async (request, response) => {
    const text = Buffer.concat(await request.toArray()).toString()
    const body = JSON.parse(text) as Json
    proxy.requests.push({ path: request.url!, body })
    const isSigned = await isSignedWith(proxy.credential, request, text, Date.now() + proxy.skew)
    const answer = proxy.change(isSigned ? answerTo(request.url!, body, keys) : unauthenticated, request, response)
    if (!answer) return
    const date = new Date(Date.now() + proxy.skew).toUTCString()
    response.writeHead(answer.status, { 'content-type': 'application/json', date })
    response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body))
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const proxy: TestProxy = {
    files,
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: [],
    connections: 0,
    change: answer => answer,
    credential,
    skew: 0,
    disconnect() {
      for (const socket of sockets) socket.destroy()
    },
    async close() {
      server.close()
      proxy.disconnect()
      await once(server, 'close')
      rmSync(folder, { recursive: true, force: true })
    },
  }
  return proxy
}

const unauthenticated: Answer = { status: 401, body: { errorName: 'AuthenticationFailedException' } }

class Sha256 {
  readonly #hash
  constructor(key?: Uint8Array | string) {
    this.#hash = key === undefined ? createHash('sha256') : createHmac('sha256', key)
  }
  update(bytes: Uint8Array | string): void {
    this.#hash.update(bytes)
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest()
  }
}

async function isSignedWith(known: typeof credential, { headers, url }: IncomingMessage, body: string, now: number) {
  const date = String(headers['x-amz-date'])
  const signingDate = new Date(date.replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5'))
  if (Math.abs(signingDate.getTime() - now) > 300_000) return false
  const signer = new SignatureV4({
    service: 'kms-xks-proxy',
    region,
    credentials: known,
    sha256: Sha256 as never,
    applyChecksum: false,
  })
  const { host = '' } = headers
  const request = { method: 'POST', protocol: 'https:', hostname: host, path: url!, headers: { host }, body, query: {} }
  const signed = await signer.sign(request, { signingDate })
  return signed.headers.authorization === headers.authorization
}

function answerTo(path: string, body: Json, keys: Map<string, Buffer>): Answer {
  const parsed = parseXksPath(path)
  if (!parsed) return { status: 404, body: { errorName: 'InvalidUriPathException' } }
  if (parsed.operation === 'health') return { status: 200, body: health }
  const { keyId, operation } = parsed
  if (keyId === 'missing') return { status: 404, body: { errorName: 'KeyNotFoundException' } }
  if (operation === 'metadata')
    return { status: 200, body: { keySpec: 'AES_256', keyUsage: ['ENCRYPT', 'DECRYPT'], keyStatus: 'ENABLED' } }
  const key = keys.get(keyId) ?? randomBytes(32)
  keys.set(keyId, key)
  return operation === 'encrypt' ? encrypted(key, body) : decrypted(key, body)
}

export const health = {
  xksProxyFleetSize: 1,
  xksProxyVendor: 'test',
  xksProxyModel: 'test',
  ekmVendor: 'test',
  ekmFleetDetails: [
    { id: 'hsm-1', model: 'test', healthStatus: 'ACTIVE' },
    { id: 'hsm-2', model: 'test', healthStatus: 'UNAVAILABLE' },
  ],
}

const bytes = (text: string | undefined) => Buffer.from(text ?? '', 'base64')

function encrypted(key: Buffer, { plaintext, additionalAuthenticatedData }: Json): Answer {
  const [iv, metadata, aad] = [randomBytes(12), Buffer.from('v=1'), bytes(additionalAuthenticatedData)]
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(hsmAad(aad, metadata))
  const ciphertext = Buffer.concat([cipher.update(bytes(plaintext)), cipher.final()])
  const tag = cipher.getAuthTag()
  const body = {
    ciphertext: ciphertext.toString('base64'),
    initializationVector: iv.toString('base64'),
    authenticationTag: tag.toString('base64'),
    ciphertextMetadata: metadata.toString('base64'),
    ciphertextDataIntegrityValue: ciphertextDataIntegrityValue({ aad, metadata, iv, ciphertext, tag }),
  }
  return { status: 200, body }
}

function decrypted(key: Buffer, body: Json): Answer {
  const aad = hsmAad(bytes(body.additionalAuthenticatedData), bytes(body.ciphertextMetadata))
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes(body.initializationVector), { authTagLength: 16 })
    decipher.setAAD(aad).setAuthTag(bytes(body.authenticationTag))
    const plaintext = Buffer.concat([decipher.update(bytes(body.ciphertext)), decipher.final()])
    return { status: 200, body: { plaintext: plaintext.toString('base64') } }
  } catch {
    return { status: 400, body: { errorName: 'InvalidCiphertextException' } }
  }
}
