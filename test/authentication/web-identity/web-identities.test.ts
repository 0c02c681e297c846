import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { exportSPKI, generateKeyPair, importJWK, SignJWT } from 'jose'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { KeySets } from '../../../src/authentication/web-identity/key-sets.ts'
import { webIdentity } from '../../../src/authentication/web-identity/web-identities.ts'
import { Failure } from '../../../src/errors.ts'
import { type OidcProvider, oidcProviderArn } from '../../../src/model/identities/oidc-provider.ts'
import { hasOpenssl } from '../../server/certificates.ts'
import {
  type Claims,
  fileWith,
  type IssuerServer,
  issuerServer,
  jwksOf,
  type SigningKey,
  serving,
  signingKey,
  tokenOf,
} from './issuer.ts'

const account = '111122223333'
const issuer = 'https://issuer.example.com/path'
let now = 1_800_000_000_000
let key: SigningKey
let rsa: SigningKey
let keysFile: ReturnType<typeof fileWith>
let providers: OidcProvider[] = []
let failed: unknown[] = []
let keySets: KeySets
let patience = 20_000

beforeAll(async () => {
  key = await signingKey('first')
  rsa = await signingKey('rsa', 'RS256')
  keysFile = fileWith(jwksOf(key, rsa))
  reset()
})
afterAll(() => keysFile?.remove())
afterEach(reset)

function reset() {
  now = 1_800_000_000_000
  failed = []
  keySets = new KeySets({ clock: () => now, timeout: patience, failed: (_, cause) => void failed.push(cause) })
  providers = [provider({ url: issuer, jwksFile: keysFile.file })]
}

function provider(rest: Partial<OidcProvider> & { readonly url: string }): OidcProvider {
  const arn = oidcProviderArn('aws', account, rest.url)
  return { arn, account, audiences: ['sts.amazonaws.com', 'other'], createdAt: 0, revision: 0, ...rest }
}

function identify(token: string, place = { partition: 'aws', account }) {
  return webIdentity(token, place, {
    providersOf: of => providers.filter(({ account }) => account === of),
    keySets,
    clock: () => now,
    regionOf: () => 'us-east-1',
  })
}

const token = (claims: Claims = {}, by = key, iss = issuer) => tokenOf(by, iss, now, claims)

async function refusalOf(token: string | Promise<string>): Promise<string> {
  const text = await token
  const thrown = await identify(text).then(
    () => new Error('accepted'),
    thrown => thrown,
  )
  if (!(thrown instanceof Failure)) throw thrown
  // No part of a token is a message, but its header may be common.
  for (const part of text.split('.').slice(1)) if (part.length > 8) expect(thrown.message).not.toContain(part)
  return `${thrown.code}: ${thrown.message}`
}

const notAToken =
  'InvalidIdentityToken: The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)'
const noKey =
  "InvalidIdentityToken: Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements"
const badSignature = 'InvalidIdentityToken: The signature of the token is not valid.'
const badAlgorithm = /^InvalidIdentityToken: The algorithm of the token is not supported/

describe('the bearer of a token', () => {
  it('is who the provider says', async () => {
    expect(await identify(await token({ repository: 'octo/app' }))).toMatchObject({
      type: 'webIdentity',
      arn: `arn:aws:iam::${account}:oidc-provider/issuer.example.com/path`,
      issuer: 'issuer.example.com/path',
      subject: 'repo:octo/app',
      audience: 'sts.amazonaws.com',
      claims: { repository: 'octo/app' },
      account,
      region: 'us-east-1',
      policies: [],
    })
  })

  it.each(['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512'])('may sign by %s', async alg => {
    const other = await signingKey(alg, alg)
    keysFile.write(jwksOf(other))
    expect((await identify(await token({}, other))).subject).toBe('repo:octo/app')
    keysFile.write(jwksOf(key, rsa))
  })

  it.each<[unknown]>([[{ toString: 1, valueOf: 1 }], [[{ toString: 1 }]], [[null, 7]], [7]])(
    'is for nobody with the audience %j',
    async aud => {
      expect(await refusalOf(token({ aud } as Claims))).toContain('the token is for nobody; the provider accepts')
    },
  )

  it('is for the party that is authorized, if there is one', async () => {
    expect((await identify(await token({ azp: 'other', aud: 'somebody' }))).audience).toBe('other')
    expect(await refusalOf(token({ azp: 'somebody', aud: 'other' }))).toBe(
      "InvalidIdentityToken: Incorrect token audience: the token is for 'somebody'; the provider accepts 'sts.amazonaws.com', 'other'.",
    )
    expect((await identify(await token({ aud: ['somebody', 'other'] }))).audience).toBe('other')
  })
})

describe('a token is refused', () => {
  const claims: readonly (readonly [string, Claims, string | RegExp])[] = [
    [
      'of another issuer',
      { iss: 'https://issuer.example.com' },
      /No OpenIDConnect provider found in your account for https:\/\/issuer.example.com$/,
    ],
    ['of the same issuer in other letters', { iss: issuer.toUpperCase() }, /No OpenIDConnect provider found/],
    ['of the same issuer with a slash', { iss: `${issuer}/` }, /No OpenIDConnect provider found/],
    ['without an issuer', { iss: undefined }, /has no issuer/],
    ['of no audience', { aud: undefined }, /the token is for nobody; the provider accepts 'sts/],
    [
      'of another audience',
      { aud: 'https://github.com/octo' },
      /the token is for 'https:\/\/github.com\/octo'; the provider accepts/,
    ],
    [
      'without an expiry',
      { exp: undefined },
      'InvalidIdentityToken: The claim exp of the token is missing or invalid.',
    ],
    [
      'without an issue time',
      { iat: undefined },
      'InvalidIdentityToken: The claim iat of the token is missing or invalid.',
    ],
    ['without a subject', { sub: undefined }, /has no subject/],
    ['with an empty subject', { sub: '' }, /has no subject/],
    ['with a long subject', { sub: 'x'.repeat(256) }, /has no subject/],
    ['with a number for a subject', { sub: 7 as unknown as string }, /has no subject|claim sub/],
    ['with a text for an expiry', { exp: '9999999999' as unknown as number }, /claim exp/],
  ]
  it.each(claims)('%s', async (_, claims, message) => {
    expect(await refusalOf(token(claims))).toMatch(message)
  })

  it('once it has expired, with five minutes for the clock of the provider', async () => {
    const seconds = now / 1000
    expect((await identify(await token({ exp: seconds - 299 }))).subject).toBeDefined()
    expect(await refusalOf(token({ exp: seconds - 300 }))).toBe(
      `ExpiredIdentityToken: Token expired: current date/time ${seconds} must be before the expiration date/time ${seconds - 300}`,
    )
  })

  it('until it is valid, with five minutes for the clock of the provider', async () => {
    const seconds = now / 1000
    expect((await identify(await token({ nbf: seconds + 300 }))).subject).toBeDefined()
    expect(await refusalOf(token({ nbf: seconds + 301 }))).toBe('InvalidIdentityToken: The token is not valid yet.')
  })

  it('in an account without the provider', async () => {
    await expect(identify(await token(), { partition: 'aws', account: '444455556666' })).rejects.toMatchObject({
      code: 'InvalidIdentityToken',
      message: `No OpenIDConnect provider found in your account for ${issuer}`,
    })
  })

  it('without a signature, or with one by the public key as a secret', async () => {
    const [, payload] = (await token({}, rsa)).split('.')
    const part = (header: object) => Buffer.from(JSON.stringify(header)).toString('base64url')
    for (const alg of ['none', 'None', 'NONE', '', undefined, 'HS256', 'HS512', 'PS256', 'EdDSA', 'dir'])
      for (const signature of ['', 'x'])
        expect(await refusalOf(`${part({ alg, kid: 'rsa' })}.${payload}.${signature}`)).toMatch(badAlgorithm)
    const spki = await exportSPKI((await importJWK(rsa.publicJwk, 'RS256')) as never)
    const signed = `${part({ alg: 'HS256', kid: 'rsa', typ: 'JWT' })}.${payload}`
    const mac = createHmac('sha256', spki).update(signed).digest('base64url')
    expect(await refusalOf(`${signed}.${mac}`)).toMatch(badAlgorithm)
  })

  it('with the algorithm of another key', async () => {
    const text = await token()
    const header = Buffer.from(JSON.stringify({ alg: 'RS256', kid: 'first' })).toString('base64url')
    expect(await refusalOf(text.replace(/^[^.]+/, header))).toBe(noKey)
  })

  it('signed by a key that it brings, or that is elsewhere', async () => {
    const foreign = await signingKey('first')
    const brought = {
      jwk: foreign.publicJwk,
      jku: 'https://evil.example.com/keys',
      x5u: 'https://evil.example.com/cert',
    }
    for (const kid of ['first', '../../etc/passwd', "' OR 1=1", '\u0000', '', 'x'.repeat(10_000)]) {
      const claims = { iss: issuer, sub: 'x', aud: 'other', iat: now / 1000, exp: now / 1000 + 60 }
      const text = await new SignJWT(claims)
        .setProtectedHeader({ alg: 'ES256', kid, ...brought })
        .sign(foreign.privateKey)
      expect([noKey, badSignature]).toContain(await refusalOf(text))
    }
  })

  it('with a critical header that nobody understands', async () => {
    const [, payload, signature] = (await token()).split('.')
    const header = Buffer.from(JSON.stringify({ alg: 'ES256', kid: 'first', crit: ['x'], x: 1 })).toString('base64url')
    expect(await refusalOf(`${header}.${payload}.${signature}`)).toBe(notAToken)
  })

  it('that was changed', async () => {
    const [header, payload, signature] = (await token()).split('.') as [string, string, string]
    const changed = Buffer.from(
      JSON.stringify({ ...JSON.parse(Buffer.from(payload, 'base64url').toString()), sub: 'root' }),
    )
    expect(await refusalOf(`${header}.${changed.toString('base64url')}.${signature}`)).toBe(badSignature)
    expect(await refusalOf(`${header}.${payload}.${signature.slice(0, -8)}`)).toBe(badSignature)
    expect(await refusalOf(`${header}.${payload}.`)).toBe(badSignature)
  })

  it.each([
    'x',
    'a.b',
    'a.b.c',
    '..',
    'e30.e30.',
    'a.b.c.d.e',
    '{"alg":"ES256"}',
    'x'.repeat(20_000),
    '.'.repeat(20_000),
  ])('that is none: %#', async text => {
    expect(await refusalOf(text)).toMatch(/^InvalidIdentityToken: /)
  })

  it('whatever it is, with a failure of the caller', async () => {
    const valid = await token()
    await fc.assert(
      fc.asyncProperty(fc.nat(valid.length - 1), fc.string({ maxLength: 3 }), async (at, text) => {
        const changed = valid.slice(0, at) + text + valid.slice(at + 1)
        const outcome = await identify(changed).catch(thrown => thrown)
        if (outcome instanceof Failure) expect(outcome.fault).toBe('caller')
        else expect(outcome.subject).toBe('repo:octo/app')
      }),
      { numRuns: 200 },
    )
  })
})

describe('a key set in a file', () => {
  it('is read again when it changes', async () => {
    await identify(await token())
    const next = await signingKey('next')
    const text = await token({}, next)
    expect(await refusalOf(text)).toBe(noKey)
    keysFile.write(jwksOf(next, next, key))
    keysFile.write(jwksOf(next))
    expect((await identify(text)).subject).toBe('repo:octo/app')
    expect(await refusalOf(token())).toBe(noKey)
    keysFile.write(jwksOf(key, rsa))
  })

  it.each([
    '',
    '{',
    '[]',
    '{"keys":{}}',
    '{"keys":[{"kty":"EC"}]}',
    '{"keys":[{"kty":"oct","k":"AAAA","kid":"first","alg":"ES256"}]}',
  ])('that is none is not the fault of the token: %s', async text => {
    const file = fileWith(text)
    providers = [provider({ url: issuer, jwksFile: file.file })]
    expect(await refusalOf(token())).toMatch(/^(IDPCommunicationError: The key|InvalidIdentityToken: Couldn't)/)
    file.remove()
  })

  it('that is missing is reported once in a while', async () => {
    providers = [provider({ url: issuer, jwksFile: '/nowhere/jwks.json' })]
    for (let i = 0; i < 3; i++)
      expect(await refusalOf(token())).toMatch(/^IDPCommunicationError: The keys of the identity/)
    expect(failed).toHaveLength(1)
    now += 30_000
    await refusalOf(token())
    expect(failed).toHaveLength(2)
  })

  it('may have weak keys, which are not used', async () => {
    const { privateKey, publicKey } = await generateKeyPair('RS256', { modulusLength: 2048, extractable: true })
    expect([privateKey.type, publicKey.type]).toEqual(['private', 'public'])
    const weak = { ...rsa.publicJwk, n: Buffer.alloc(64, 0xff).toString('base64url') }
    const file = fileWith(JSON.stringify({ keys: [weak] }))
    providers = [provider({ url: issuer, jwksFile: file.file })]
    expect(await refusalOf(token({}, rsa))).toMatch(
      /^(IDPCommunicationError|InvalidIdentityToken): The (key|signature)/,
    )
    file.remove()
  })
})

describe.runIf(hasOpenssl)('a key set on a server', () => {
  let server: IssuerServer
  beforeAll(async () => {
    server = await issuerServer()
  })
  afterAll(() => server?.close())

  const remote = (rest: Partial<OidcProvider> = {}) => {
    server.asked.length = 0
    providers = [provider({ url: server.url, caFile: server.caFile, ...rest })]
  }
  const remoteToken = (by = key) => token({}, by, server.url)
  const unavailable = 'IDPCommunicationError: The keys of the identity provider are not available. Try again later.'

  it('is found by the discovery document, and kept', async () => {
    remote()
    server.answer = serving(server, () => jwksOf(key))
    const [first] = await Promise.all(Array.from({ length: 10 }, async () => identify(await remoteToken())))
    expect(first!.subject).toBe('repo:octo/app')
    await identify(await remoteToken())
    expect(server.asked).toEqual(['/.well-known/openid-configuration', '/keys'])
  })

  it('is found for an issuer with a slash at its end, which is another one than that without', async () => {
    remote({ url: `${server.url}/` })
    server.answer = ({ url }, response) => {
      const discovery = JSON.stringify({ issuer: `${server.url}/`, jwks_uri: `${server.url}/keys` })
      response.end(url === '/.well-known/openid-configuration' ? discovery : jwksOf(key))
    }
    expect((await identify(await token({}, key, `${server.url}/`))).arn).toBe(
      `arn:aws:iam::${account}:oidc-provider/${server.url.slice('https://'.length)}/`,
    )
    expect(await refusalOf(remoteToken())).toMatch(/No OpenIDConnect provider found/)
  })

  it('may move, as the discovery document says', async () => {
    remote()
    server.answer = serving(server, () => jwksOf(key))
    await identify(await remoteToken())
    const moved = await signingKey('moved')
    const discovery = JSON.stringify({ issuer: server.url, jwks_uri: `${server.url}/moved` })
    server.answer = ({ url }, response) =>
      response.writeHead(url === '/keys' ? 404 : 200).end(url === '/moved' ? jwksOf(moved) : discovery)
    // jose has a clock of its own.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 31_000 })
    try {
      expect((await identify(await remoteToken(moved))).subject).toBe('repo:octo/app')
    } finally {
      vi.useRealTimers()
    }
    expect(server.asked.slice(2)).toEqual(['/.well-known/openid-configuration', '/moved'])
  })

  it('is at a URL that is configured', async () => {
    remote({ jwksUrl: `${server.url}/elsewhere` })
    server.answer = serving(server, () => jwksOf(key))
    await identify(await remoteToken())
    expect(server.asked).toEqual(['/elsewhere'])
  })

  it('is asked once for a key that it lacks, however many tokens name one', async () => {
    remote()
    server.answer = serving(server, () => jwksOf(key))
    await identify(await remoteToken())
    const others = await Promise.all(Array.from({ length: 5 }, (_, i) => signingKey(`unknown-${i}`)))
    for (const other of others) expect(await refusalOf(remoteToken(other))).toBe(noKey)
    expect(server.asked.filter(path => path === '/keys').length).toBeLessThanOrEqual(2)
    expect((await identify(await remoteToken())).subject).toBe('repo:octo/app')
  })

  it.each<[string, (issuer: IssuerServer) => IssuerServer['answer']]>([
    ['an error', () => (_, response) => response.writeHead(503).end('{}')],
    ['a redirect', () => (_, response) => response.writeHead(302, { location: 'https://127.0.0.1:1/' }).end()],
    ['no JSON', () => (_, response) => response.end('<html>')],
    [
      'the document of another issuer',
      () => (_, response) => response.end('{"issuer":"https://x","jwks_uri":"https://x/k"}'),
    ],
    [
      'a key set without TLS',
      ({ url }) =>
        (_, response) =>
          response.end(JSON.stringify({ issuer: url, jwks_uri: 'http://127.0.0.1/keys' })),
    ],
    ['nothing but a closed connection', () => request => request.socket.destroy()],
    [
      'a document without end',
      () => (_, response) => {
        const more = () => {
          while (!response.destroyed && response.write('x'.repeat(65_536)));
        }
        response.on('drain', more)
        more()
      },
    ],
  ])('that is %s is not asked again for half a minute', async (_, answer) => {
    remote()
    server.answer = answer(server)
    for (let i = 0; i < 3; i++) expect(await refusalOf(remoteToken())).toBe(unavailable)
    expect([server.asked.length, failed.length]).toEqual([1, 1])
    now += 30_000
    server.answer = serving(server, () => jwksOf(key))
    expect((await identify(await remoteToken())).subject).toBe('repo:octo/app')
  })

  it.each(['[null]', '[1]', '["x"]', '[[]]', 'null', '{}'])(
    'that has the keys %s is not asked again either',
    async keys => {
      remote()
      server.answer = serving(server, () => `{"keys":${keys}}`)
      for (let i = 0; i < 3; i++) expect(await refusalOf(remoteToken())).toBe(unavailable)
      expect([server.asked.filter(path => path === '/keys').length, failed.length]).toEqual([1, 1])
    },
  )

  it('that is not trusted is not used', async () => {
    remote({ caFile: undefined })
    server.answer = serving(server, () => jwksOf(key))
    expect(await refusalOf(remoteToken())).toBe(unavailable)
    expect(server.asked).toEqual([])
  })

  it('is used while the server is away', async () => {
    remote()
    server.answer = serving(server, () => jwksOf(key))
    await identify(await remoteToken())
    server.answer = (_, response) => response.writeHead(503).end()
    await refusalOf(remoteToken(await signingKey('unknown')))
    expect((await identify(await remoteToken())).subject).toBe('repo:octo/app')
  })

  it('that never answers is given up', async () => {
    patience = 100
    reset()
    patience = 20_000
    remote()
    server.answer = () => {}
    expect(await refusalOf(remoteToken())).toBe(unavailable)
    expect(server.asked).toEqual(['/.well-known/openid-configuration'])
  })
})
