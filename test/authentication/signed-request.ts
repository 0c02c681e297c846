/** Requests signed by the signer of the AWS SDK, and a verifier that knows its access key. */
import { Sha256 } from '@aws-crypto/sha256-js'
import { SignatureV4 } from '@smithy/signature-v4'
import type { SignedRequest } from '../../src/authentication/canonical-request.ts'
import { SigV4, type SigV4Options } from '../../src/authentication/sigv4.ts'
import type { AccessKey } from '../../src/model/identities/access-key.ts'
import type { Session } from '../../src/model/identities/session.ts'

export const now = Date.UTC(2026, 0, 1, 0, 25)
export const secret = 'EXAMPLE+secret/of/the/tests'
export const permanent: AccessKey = {
  id: 'AKIDEXAMPLE',
  principalArn: 'arn:aws:iam::111122223333:user/example',
  sealedSecret: Buffer.from(secret),
  status: 'Active',
  revision: 1,
}

export const temporary: Session = {
  accessKeyId: 'ASIDEXAMPLE',
  principalId: 'AIDAEXAMPLE',
  issuedAt: now - 1000,
  expiresAt: now + 1000,
}

export interface Signing {
  method?: string
  /** As on the wire. */
  path?: string
  query?: Record<string, string | string[]>
  headers?: Record<string, string>
  body?: Uint8Array
  region?: string
  service?: string
  accessKeyId?: string
  sessionToken?: string
  at?: number
  contentHash?: boolean
  leaveUnsigned?: string[]
}

/** The request as a server receives it: names in lower case, one character per byte. */
export async function sign(signing: Signing = {}): Promise<SignedRequest> {
  const { method = 'POST', path = '/', query = {}, body = Buffer.from('{}'), region = 'eu-central-1' } = signing
  const signer = new SignatureV4({
    service: signing.service ?? 'kms',
    region,
    credentials: {
      accessKeyId: signing.accessKeyId ?? permanent.id,
      secretAccessKey: secret,
      ...(signing.sessionToken === undefined ? {} : { sessionToken: signing.sessionToken }),
    },
    sha256: Sha256,
    applyChecksum: signing.contentHash ?? true,
  })
  const headers = { host: 'kms.example.com:7700', 'x-amz-target': 'TrentService.ListKeys', ...signing.headers }
  const signed = await signer.sign(
    { method, protocol: 'https:', hostname: 'kms.example.com', path, query, headers, body },
    { signingDate: new Date(signing.at ?? now), unsignableHeaders: new Set(signing.leaveUnsigned) },
  )
  return {
    method,
    url: path + queryString(query),
    headers: asSent(signed.headers),
    body: async () => body,
    sourceAddress,
  }
}

function queryString(query: Record<string, string | string[]>): string {
  const pairs = Object.entries(query).flatMap(([name, value]) => [value].flat().map(one => [name, one] as const))
  const text = pairs.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&')
  return text === '' ? '' : `?${text}`
}

function asSent(headers: Record<string, string>): Record<string, string> {
  const sent = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), bytes(value)])
  return Object.fromEntries(sent)
}

export const sourceAddress = '192.0.2.1'

/** Text as Node.js gives it to a server: UTF-8, one character per byte. */
export function bytes(text: string): string {
  return Buffer.from(text).toString('latin1')
}

/** The same request with some headers put, or taken away where undefined. */
export function withHeaders(request: SignedRequest, headers: SignedRequest['headers']): SignedRequest {
  const all = Object.entries({ ...request.headers, ...headers }).filter(([, value]) => value !== undefined)
  return { ...request, headers: Object.fromEntries(all) }
}

/** Its Authorization header changed. */
export function withAuthorization(request: SignedRequest, change: (header: string) => string): SignedRequest {
  return withHeaders(request, { authorization: change(String(request.headers.authorization)) })
}

/** Knows the given access keys, and sessions by their tokens; what seals their secret is nothing at all. */
export function verifier(
  options: Partial<SigV4Options> & { accessKeys?: AccessKey[]; sessions?: ReadonlyMap<string, Session> } = {},
): SigV4 {
  const { accessKeys = [permanent], sessions = new Map<string, Session>(), ...others } = options
  return new SigV4({
    service: 'kms',
    regions: new Set(['eu-central-1', 'us-east-1']),
    maxClockSkew: 300_000,
    clock: () => now,
    accessKey: id => accessKeys.find(accessKey => accessKey.id === id),
    unseal: async accessKey => new Uint8Array(accessKey.sealedSecret),
    async unsealSession(token, accessKeyId) {
      const session = sessions.get(token)
      return session?.accessKeyId === accessKeyId ? { session, secret: Buffer.from(secret) } : undefined
    },
    ...others,
  })
}
