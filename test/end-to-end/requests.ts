/** Requests below the SDK: signed bodies that no SDK would send, and answers as they are on the wire. */
import { type ClientRequest, request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { connect } from 'node:net'
import { Sha256 } from '@aws-crypto/sha256-js'
import * as sdk from '@aws-sdk/client-kms'
import { SignatureV4 } from '@smithy/signature-v4'
import type { OperationName } from '../../src/operations/kms/operation.ts'
import type { Credentials } from './gateway.ts'
import { collect, collectCredentials } from './secrets.ts'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface Post {
  readonly url: string
  readonly credentials: Credentials
  readonly region?: string
  readonly service?: string
  /** Operation of AWS KMS, or with the name of its service; null sends no target. */
  readonly target?: string | null
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  /** JSON, unless it is bytes or text. */
  readonly body?: unknown
  readonly signedAt?: Date
}

/** The same as the AWS SDK signs and sends it. */
export async function signedPost(post: Post): Promise<Answer> {
  const { method, path, headers, body } = await signed(post)
  collectCredentials(post.credentials)
  collectJson(post.target, 'input', body.toString())
  const answer = await send(post.url, { method, path, headers }, body)
  collectJson(post.target, 'output', answer.body)
  return answer
}

/** What is secret in it, if it is JSON. */
function collectJson(target: Post['target'], part: 'input' | 'output', json: string): void {
  if (!target) return
  try {
    collect(target, part, JSON.parse(json))
  } catch {}
}

export interface Signed {
  readonly method: string
  readonly path: string
  readonly headers: Record<string, string>
  readonly body: Buffer
}

export async function signed(post: Post): Promise<Signed> {
  const { url, region = 'us-east-1', target = 'ListKeys', method = 'POST', credentials, service = 'kms' } = post
  const [path = '/', query = ''] = (post.path ?? '/').split('?')
  const { hostname, host } = new URL(url)
  const body = bytesOf(post.body ?? {})
  const signer = new SignatureV4({ service, region, credentials, sha256: Sha256, applyChecksum: false })
  const headers = {
    host,
    'content-type': 'application/x-amz-json-1.1',
    ...(target !== null && { 'x-amz-target': target.includes('.') ? target : `TrentService.${target}` }),
    ...post.headers,
  }
  const parameters = Object.fromEntries(new URLSearchParams(query))
  const toSign = { method, protocol: 'http:', hostname, path, query: parameters, headers, body }
  const { headers: all } = await signer.sign(toSign, post.signedAt && { signingDate: post.signedAt })
  return { method, path: post.path ?? path, headers: all, body }
}

function bytesOf(body: unknown): Buffer {
  if (body instanceof Uint8Array) return Buffer.from(body)
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
}

export function send(url: string, options: object, body?: Uint8Array): Promise<Answer> {
  return answerTo(httpRequest(url, { agent: false, ...options }).end(body))
}

export async function answerTo(request: ClientRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request.on('error', reject)
    request.on('response', async response => {
      const parts = await response.toArray()
      resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(parts).toString() })
    })
  })
}

/**
 * Sends a request line and header lines exactly as given, on a connection of their own, and resolves to the answer. The names of its
 * headers are in lower case.
 */
export async function sendLines(url: string, lines: readonly string[], body: Uint8Array = Buffer.alloc(0)) {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  const end = [`Content-Length: ${body.length}`, 'Connection: close', '', '']
  socket.write(Buffer.concat([Buffer.from([...lines, ...end].join('\r\n'), 'latin1'), body]))
  const text = Buffer.concat(await socket.toArray()).toString()
  const [head, ...rest] = text.split('\r\n\r\n')
  const [statusLine, ...headerLines] = head!.split('\r\n')
  const headers = headerLines.map(line => [
    line.slice(0, line.indexOf(':')).toLowerCase(),
    line.slice(line.indexOf(':') + 2),
  ])
  const answer: Answer = {
    status: Number(statusLine!.split(' ')[1]),
    headers: Object.fromEntries(headers),
    body: rest.join('\r\n\r\n'),
  }
  return answer
}

/** Calls the operation of that name through the SDK; the members of its output. */
export async function call(client: sdk.KMS, operation: OperationName, input: object): Promise<Record<string, unknown>> {
  const Command = Reflect.get(sdk, `${operation}Command`) as new (input: object) => sdk.ListKeysCommand
  const { $metadata, ...members } = await client.send(new Command(input))
  return members as Record<string, unknown>
}

/** The error of a call as `Code: message`, without `: message` where AWS gives none. */
export async function refusal(call: Promise<unknown>): Promise<string> {
  try {
    await call
  } catch (thrown) {
    const { name, message } = thrown as Error
    // What the SDK says when the body holds no message.
    return message === 'UnknownError' || message === '' ? name : `${name}: ${message}`
  }
  return 'no refusal'
}
