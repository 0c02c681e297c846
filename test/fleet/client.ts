/** A client of AWS KMS that costs little: no SDK, no retries, connections that are kept. */
import { createHash, createHmac } from 'node:crypto'
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { SignatureV4 } from '@smithy/signature-v4'
import type { OperationName } from '../../src/operations/kms/operation.ts'
import { type Credentials, home } from '../end-to-end/gateway.ts'

export const region = 'us-east-1'

export interface Answer {
  readonly status: number
  /** Name of the exception, without its namespace. */
  readonly code: string | undefined
  readonly output: Readonly<Record<string, unknown>>
  /** As in the audit record. */
  readonly requestId: string
}

/** Milliseconds until an answer is given up. */
const patience = 20_000

export class KmsClient {
  readonly #signer: SignatureV4
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 })

  constructor(credentials: Credentials) {
    this.#signer = new SignatureV4({ service: 'kms', region, credentials, sha256: Sha256, applyChecksum: false })
  }

  /** Rejects if the answer is lost. @param url of a gateway */
  async call(url: string, operation: OperationName, input: object): Promise<Answer> {
    const { hostname, port, host } = new URL(url)
    const body = JSON.stringify(input)
    const headers = { host, 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `TrentService.${operation}` }
    const signed = await this.#signer.sign({ method: 'POST', protocol: 'http:', hostname, path: '/', headers, body })
    const options = { agent: this.#agent, hostname, port, method: 'POST', headers: signed.headers, timeout: patience }
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = httpRequest(options, resolve)
      request.on('error', reject).on('timeout', () => request.destroy(new Error('no answer')))
      request.end(body)
    })
    const text = Buffer.concat(await response.toArray()).toString()
    const output = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)
    const status = response.statusCode!
    const code = status === 200 ? undefined : String(output.__type).split('#').at(-1)!
    return { status, code, output, requestId: String(response.headers['x-amzn-requestid']) }
  }

  /** The output. Rejects if the request is refused. */
  async expect(url: string, operation: OperationName, input: object): Promise<Answer['output']> {
    const { code, output } = await this.call(url, operation, input)
    if (code === undefined) return output
    throw new Error(`${operation} at ${url}: ${code}: ${output.message ?? output.Message}`)
  }

  close(): void {
    this.#agent.destroy()
  }
}

/** Whether the request may or may not have been executed: it was not refused for what it asks. */
export function isUnknown({ status, code }: Answer): boolean {
  return status >= 500 || (code !== undefined && undecided.has(code))
}

const undecided: ReadonlySet<string> = new Set(['ThrottlingException', 'ConflictException'])

export function userArn(name: string): string {
  return `arn:aws:iam::${home}:user/${name}`
}

/** As the signer wants it; the SDK's own is written in JavaScript. */
class Sha256 {
  readonly #hash: { update(data: string | Uint8Array): unknown; digest(): Buffer }

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret as string | Uint8Array)
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(data as string | Uint8Array)
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest()
  }

  reset(): void {
    throw new Error('not needed')
  }
}
