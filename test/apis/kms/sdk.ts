/** The real SDK without a network: the requests it sends, and how it parses answers. */
import { Buffer } from 'node:buffer'
import * as sdk from '@aws-sdk/client-kms'
import { operationNames } from '../../../src/apis/kms/model.ts'

export { operationNames }

type AnyCommand = new (input: object) => sdk.DescribeKeyCommand

interface SentRequest {
  readonly method: string
  readonly path: string
  readonly headers: Record<string, string>
  readonly body: Uint8Array
}

type Respond = (request: SentRequest) => {
  status: number
  headers: Readonly<Record<string, string>>
  body: string | Uint8Array
}

/** One call at a time: the client is shared because building one takes longer than all the rest. */
let answer: Respond

const client = new sdk.KMSClient({
  region: 'eu-central-1',
  credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'not-a-secret' },
  maxAttempts: 1,
  requestHandler: {
    async handle(request: SentRequest) {
      const { status, headers, body } = answer({ ...request, body: Uint8Array.from(request.body) })
      return { response: { statusCode: status, reason: '', headers: lowerCase(headers), body: Buffer.from(body) } }
    },
  },
})

/** Calls an operation through the SDK: gives the request to `respond`, and returns what the SDK reads in its answer. */
export async function call(name: string, input: object, respond: Respond): Promise<Record<string, unknown>> {
  answer = respond
  const Command = (sdk as unknown as Record<string, AnyCommand>)[`${name}Command`]!
  const { $metadata, ...output } = await client.send(new Command(input))
  return output
}

/** Header names as an HTTP parser of Node.js gives them. */
export function lowerCase(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}

/** The same value with plain byte arrays and plain objects, for comparisons. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('hex') }
  if (value instanceof Date || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(plain)
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, plain(part)]))
}
