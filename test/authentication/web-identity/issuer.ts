/** An identity provider for tests: keys, tokens, and a key set in a file or on a server of its own. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose'
import { makeCertificate } from '../../server/certificates.ts'

export interface SigningKey {
  readonly kid: string
  readonly alg: string
  readonly privateKey: Parameters<SignJWT['sign']>[0]
  readonly publicJwk: JWK
}

export async function signingKey(kid: string, alg = 'ES256'): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  return { kid, alg, privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } }
}

/** Any value, also where a valid token has another. */
export type Claims = Readonly<Record<string, unknown>>

/** @param claims replace those of a valid token; undefined removes one */
export function tokenOf(key: SigningKey, issuer: string, now: number, claims: Claims = {}): Promise<string> {
  const seconds = Math.floor(now / 1000)
  const times = { iat: seconds - 10, nbf: seconds - 10, exp: seconds + 600 }
  const payload: JWTPayload = { iss: issuer, sub: 'repo:octo/app', aud: 'sts.amazonaws.com', ...times, ...claims }
  return new SignJWT(payload).setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'JWT' }).sign(key.privateKey)
}

export function jwksOf(...keys: readonly SigningKey[]): string {
  return JSON.stringify({ keys: keys.map(({ publicJwk }) => publicJwk) })
}

export interface IssuerServer {
  readonly url: string
  readonly caFile: string
  /** Paths that were asked for. */
  readonly asked: string[]
  answer: (request: IncomingMessage, response: ServerResponse) => void
  close(): Promise<void>
}

/** Answers nothing until `answer` is set. */
export async function issuerServer(): Promise<IssuerServer> {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-issuer-'))
  const files = { certificateFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') }
  makeCertificate(files)
  const cert = readFileSync(files.certificateFile)
  const server = createServer({ cert, key: readFileSync(files.keyFile) }, (request, response) => {
    issuer.asked.push(request.url!)
    issuer.answer(request, response)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const issuer: IssuerServer = {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    caFile: files.certificateFile,
    asked: [],
    answer: () => {},
    async close() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
      rmSync(folder, { recursive: true })
    },
  }
  return issuer
}

/** Answers with the discovery document and this key set. */
export function serving(issuer: IssuerServer, jwks: () => string): IssuerServer['answer'] {
  return ({ url }, response) => {
    const discovery = JSON.stringify({ issuer: issuer.url, jwks_uri: `${issuer.url}/keys` })
    response.end(url === '/.well-known/openid-configuration' ? discovery : jwks())
  }
}

export function fileWith(text: string): { readonly file: string; write(text: string): void; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-keys-'))
  const file = join(folder, 'jwks.json')
  writeFileSync(file, text)
  return { file, write: text => writeFileSync(file, text), remove: () => rmSync(folder, { recursive: true }) }
}
