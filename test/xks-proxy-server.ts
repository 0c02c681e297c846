/** A small XKS proxy that is right, or wrong in one way: for the test of the conformance suite. It keeps its key in memory. */
import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { parseStrictJson } from '../src/authorization/strict-json.ts'
import { decodeBase64 } from '../src/model/base64.ts'
import { isXksErrorName, xksErrors } from '../src/model/xks/errors.ts'
import { ciphertextDataIntegrityValue, hsmAad } from '../src/model/xks/integrity.ts'
import { parseXksPath, type XksOperation } from '../src/model/xks/uris.ts'
import type { TlsFiles } from '../src/server/tls.ts'

export const credential = {
  accessKeyId: 'XKSATESTTESTTESTTESTTEST',
  secretAccessKey: 'never/a/real/secret+of/any/proxy+0123456789abcdef',
}

/** What a proxy does wrong. */
export interface Faults {
  readonly acceptsGet: boolean
  readonly readsBodyFirst: boolean
  readonly looksUpKeyFirst: boolean
  readonly ignores: readonly ('region' | 'service' | 'terminator' | 'scopeDate' | 'time' | 'host' | 'body' | 'absent')[]
  /** Minutes by which the time may differ. */
  readonly skew: number
  readonly signedHeadersOnly: boolean
  readonly wrongStatus: Readonly<Record<string, number>>
  readonly wrongName: Readonly<Record<string, string>>
  readonly errorMessage: string
  readonly contentType: string
  readonly textErrors: boolean
  readonly requires: readonly string[]
  readonly lenient: readonly ('json' | 'utf8' | 'base64' | 'algorithm' | 'metadata')[]
  readonly knownOperationsOnly: boolean
  readonly knownMembersOnly: boolean
  readonly longestArn: number
  readonly longestPlaintext: number
  readonly longestAad: number
  readonly ivLength: number
  readonly sameIv: boolean
  readonly tagBehind: boolean
  readonly ciphertextMetadata: Buffer
  readonly aadOf: (aad: Buffer | undefined, metadata: Buffer | undefined) => Uint8Array
  readonly integrity: 'never' | 'always' | 'withLengths' | 'right'
  readonly acceptsAnyTag: boolean
  readonly health: object
  readonly metadata: object
  readonly closes: boolean
  /** As many requests are refused with ThrottlingException first. */
  readonly throttles: number
  /** Of its listener. */
  readonly tls: object
  /** Seconds by which its clock is ahead. */
  readonly clockOffset: number
  readonly acceptsPut: boolean
  /** Answers with the plaintext of the request before. */
  readonly mixesUp: boolean
}

export const health = {
  xksProxyFleetSize: 1,
  xksProxyVendor: 'Test',
  xksProxyModel: 'Test 1',
  ekmVendor: 'Test',
  ekmFleetDetails: [{ id: '1', model: 'Memory', healthStatus: 'ACTIVE' }],
}

const right: Faults = {
  acceptsGet: false,
  readsBodyFirst: false,
  looksUpKeyFirst: false,
  ignores: [],
  skew: 5,
  signedHeadersOnly: false,
  wrongStatus: {},
  wrongName: {},
  errorMessage: 'It is refused.',
  contentType: 'application/json',
  textErrors: false,
  requires: ['awsPrincipalArn', 'kmsOperation', 'kmsRequestId'],
  lenient: [],
  knownOperationsOnly: false,
  knownMembersOnly: false,
  longestArn: 2048,
  longestPlaintext: 65_536,
  longestAad: 65_535,
  ivLength: 12,
  sameIv: false,
  tagBehind: false,
  ciphertextMetadata: Buffer.from('version=1'),
  aadOf: hsmAad,
  integrity: 'right',
  acceptsAnyTag: false,
  health,
  metadata: { keySpec: 'AES_256', keyUsage: ['ENCRYPT', 'DECRYPT'], keyStatus: 'ENABLED' },
  closes: false,
  throttles: 0,
  tls: {},
  clockOffset: 0,
  acceptsPut: false,
  mixesUp: false,
}

class Refusal extends Error {}

type Members = Readonly<Record<string, unknown>>

export interface XksProxyServer {
  readonly url: string
  close(): void
}

/** Serves `key`, and a `disabled` one. */
export async function serveXks(tls: TlsFiles, faults: Partial<Faults> = {}): Promise<XksProxyServer> {
  const proxy = new XksProxy({ ...right, ...faults })
  const pair = { cert: readFileSync(tls.certificateFile), key: readFileSync(tls.keyFile) }
  const options = { ...pair, ...faults.tls }
  const server = createServer(options, (request, response) => void proxy.handle(request, response))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const close = () => {
    server.close()
    server.closeAllConnections()
  }
  return { url: `https://localhost:${port}/test/kms/xks/v1`, close }
}

class XksProxy {
  readonly #faults: Faults
  readonly #key = randomBytes(32)
  readonly #iv: Buffer
  #lastPlaintext = Buffer.alloc(0)
  #requests = 0

  constructor(faults: Faults) {
    this.#faults = faults
    this.#iv = randomBytes(faults.ivLength)
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const faults = this.#faults
    const send = (status: number, text: string) => {
      const type = faults.textErrors && status !== 200 ? 'text/plain' : faults.contentType
      const date = new Date(Date.now() + faults.clockOffset * 1000).toUTCString()
      response
        .writeHead(status, { 'content-type': type, date, ...(faults.closes && { connection: 'close' }) })
        .end(text)
    }
    try {
      send(200, JSON.stringify(this.#answer(request, Buffer.concat(parts))))
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      if (error.message === 'method') return send(405, '')
      const name = faults.wrongName[error.message] ?? error.message
      const status = faults.wrongStatus[error.message] ?? (isXksErrorName(name) ? xksErrors[name].status : 500)
      const body = JSON.stringify({ errorName: name, errorMessage: faults.errorMessage })
      send(status, faults.textErrors ? error.message : body)
    }
  }

  #answer(request: IncomingMessage, body: Buffer): object {
    const faults = this.#faults
    const others = [faults.acceptsGet && 'GET', faults.acceptsPut && 'PUT']
    if (!['POST', ...others].includes(request.method!)) throw new Refusal('method')
    const path = parseXksPath(request.url!)
    const lookUp = () => {
      if (path?.prefix !== 'test') throw new Refusal('InvalidUriPathException')
      if (path.operation !== 'health' && !['key', 'disabled'].includes(path.keyId))
        throw new Refusal('KeyNotFoundException')
      return path
    }
    if (faults.looksUpKeyFirst) lookUp()
    if (faults.readsBodyFirst) this.#read(body)
    this.#authenticate(request, body)
    if (++this.#requests <= faults.throttles) throw new Refusal('ThrottlingException')
    const found = lookUp()
    const members = this.#read(body)
    this.#checkMetadata(members, found.operation)
    if (found.operation === 'health') return faults.health
    const isDisabled = found.keyId === 'disabled'
    if (found.operation === 'metadata')
      return isDisabled ? { ...faults.metadata, keyStatus: 'DISABLED' } : faults.metadata
    const work = found.operation === 'encrypt' ? this.#encryption(members) : this.#decryption(members)
    if (isDisabled) throw new Refusal('InvalidStateException')
    return work()
  }

  #authenticate({ headers, method, url }: IncomingMessage, body: Buffer): void {
    const { ignores, skew, signedHeadersOnly } = this.#faults
    const [, id, date, region, service, terminator, names, signature] =
      /^AWS4-HMAC-SHA256 Credential=(\w+)\/(\d+)\/([\w-]+)\/([\w-]+)\/(\w+), SignedHeaders=([\w;-]+), Signature=(\w+)$/.exec(
        headers.authorization ?? '',
      ) ?? []
    const time = String(headers['x-amz-date'])
    const signed = (names ?? '').split(';')
    const written = time.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z')
    const parsed = new Date(written)
    const isTime = parsed.getTime() > 0 && parsed.toISOString().slice(0, 19) === written.slice(0, 19)
    const lets = (part: Faults['ignores'][number], holds: boolean) => ignores.includes(part) || holds
    const holds =
      id === credential.accessKeyId &&
      lets('region', region === 'us-east-1') &&
      lets('service', service === 'kms-xks-proxy') &&
      lets('terminator', terminator === 'aws4_request') &&
      lets('scopeDate', date === time.slice(0, 8)) &&
      lets('time', isTime && Math.abs(parsed.getTime() - Date.now()) <= skew * 60_000) &&
      lets('host', signed.includes('host')) &&
      signed.includes('x-amz-date') &&
      lets(
        'absent',
        signed.every(name => headers[name] !== undefined),
      ) &&
      (!signedHeadersOnly || signed.length === 2)
    const digest = (text: string | Buffer) => createHash('sha256').update(text).digest('hex')
    const payload = ignores.includes('body') ? (headers['x-amz-content-sha256'] ?? digest(body)) : digest(body)
    const lines = signed.map(name => `${name}:${String(headers[name] ?? '')}\n`).join('')
    const canonical = [method, url, '', lines, names, payload].join('\n')
    const scope = [date, region, service, terminator].map(String)
    const toSign = ['AWS4-HMAC-SHA256', time, scope.join('/'), digest(canonical)].join('\n')
    const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest()
    const key = scope.reduce<string | Buffer>(hmac, `AWS4${credential.secretAccessKey}`)
    if (!holds || hmac(key, toSign).toString('hex') !== signature) throw new Refusal('AuthenticationFailedException')
  }

  #read(body: Buffer): Members {
    const { lenient } = this.#faults
    try {
      const text = new TextDecoder('utf-8', { fatal: !lenient.includes('utf8') }).decode(body)
      const value = lenient.includes('json') ? JSON.parse(text) : parseStrictJson(text)
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Members
    } catch {}
    throw new Refusal('ValidationException')
  }

  #checkMetadata(members: Members, operation: XksOperation): void {
    const { requires, knownOperationsOnly, knownMembersOnly, longestArn, lenient } = this.#faults
    const metadata = members.requestMetadata
    if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata))
      throw new Refusal('ValidationException')
    const given = metadata as Members
    const cryptographic = operation === 'encrypt' || operation === 'decrypt'
    const required = operation === 'health' ? ['kmsOperation', 'kmsRequestId'] : requires
    for (const name of [...required, ...(cryptographic ? ['kmsKeyArn'] : [])])
      if (!(typeof given[name] === 'string' || (lenient.includes('metadata') && name in given)))
        throw new Refusal('ValidationException')
    for (const name of ['awsPrincipalArn', 'kmsKeyArn'])
      if (String(given[name]).length > longestArn) throw new Refusal('ValidationException')
    if (knownOperationsOnly && /Future|Bulk/.test(String(given.kmsOperation))) throw new Refusal('ValidationException')
    if (knownMembersOnly && 'sourceIdentity' in given) throw new Refusal('ValidationException')
  }

  #bytes(members: Members, name: string, isRequired: boolean): Buffer | undefined {
    const text = members[name]
    if (text === undefined && !isRequired) return undefined
    const { lenient } = this.#faults
    const bytes =
      typeof text !== 'string'
        ? undefined
        : lenient.includes('base64')
          ? Buffer.from(text, 'base64')
          : decodeBase64(text)
    if (bytes === undefined) throw new Refusal('ValidationException')
    return bytes
  }

  #checkAlgorithm({ encryptionAlgorithm }: Members): void {
    if (encryptionAlgorithm !== 'AES_GCM' && !this.#faults.lenient.includes('algorithm'))
      throw new Refusal('ValidationException')
  }

  #encryption(members: Members): () => object {
    const faults = this.#faults
    this.#checkAlgorithm(members)
    const plaintext = this.#bytes(members, 'plaintext', true)!
    const aad = this.#bytes(members, 'additionalAuthenticatedData', false)
    const algorithm = members.ciphertextDataIntegrityValueAlgorithm
    if (algorithm !== undefined && algorithm !== 'SHA_256') throw new Refusal('ValidationException')
    if (plaintext.length > faults.longestPlaintext || (aad?.length ?? 0) > faults.longestAad)
      throw new Refusal('UnsupportedOperationException')
    return () => this.#encrypt(plaintext, aad, algorithm !== undefined)
  }

  #encrypt(plaintext: Buffer, aad: Buffer | undefined, isAsked: boolean): object {
    const { ivLength, sameIv, tagBehind, ciphertextMetadata: metadata, integrity, aadOf } = this.#faults
    const iv = sameIv ? this.#iv : randomBytes(ivLength)
    const cipher = createCipheriv('aes-256-gcm', this.#key, iv).setAAD(aadOf(aad, metadata))
    const encrypted = Buffer.concat([cipher.update(plaintext), cipher.final()])
    const tag = cipher.getAuthTag()
    const ciphertext = tagBehind ? Buffer.concat([encrypted, tag]) : encrypted
    const encryption = { aad: integrity === 'withLengths' ? hsmAad(aad, metadata) : aad, metadata, iv, ciphertext, tag }
    const isReturned = integrity === 'always' || (isAsked && integrity !== 'never')
    return {
      ciphertext: ciphertext.toString('base64'),
      initializationVector: iv.toString('base64'),
      authenticationTag: tag.toString('base64'),
      ...(metadata.length > 0 && { ciphertextMetadata: metadata.toString('base64') }),
      ...(isReturned && { ciphertextDataIntegrityValue: ciphertextDataIntegrityValue(encryption) }),
    }
  }

  #decryption(members: Members): () => object {
    this.#checkAlgorithm(members)
    const [ciphertext, iv, tag] = ['ciphertext', 'initializationVector', 'authenticationTag'].map(
      name => this.#bytes(members, name, true)!,
    )
    const metadata = this.#bytes(members, 'ciphertextMetadata', false)
    const aad = this.#bytes(members, 'additionalAuthenticatedData', false)
    return () => {
      try {
        return { plaintext: this.#decrypt(ciphertext!, iv!, tag!, metadata, aad).toString('base64') }
      } catch {
        throw new Refusal('InvalidCiphertextException')
      }
    }
  }

  #decrypt(ciphertext: Buffer, iv: Buffer, tag: Buffer, metadata?: Buffer, aad?: Buffer): Buffer {
    const { acceptsAnyTag, aadOf, mixesUp } = this.#faults
    if (![12, 16].includes(iv.length) || tag.length !== 16 || (metadata?.length ?? 0) > 20) throw new Error('length')
    const decipher = createDecipheriv('aes-256-gcm', this.#key, iv)
    decipher.setAAD(aadOf(aad, metadata)).setAuthTag(tag)
    const plaintext = decipher.update(ciphertext)
    if (!acceptsAnyTag) decipher.final()
    const last = this.#lastPlaintext
    this.#lastPlaintext = plaintext
    return mixesUp && last.length > 0 ? last : plaintext
  }
}
