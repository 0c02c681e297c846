/** Attacks on session tokens through a running gateway, and what becomes of them when sessions are revoked or an HSM fails. */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { FaultHsm } from '../fault-hsm/fault-hsm.ts'
import { installFaults } from './fault-injection.ts'
import { type Credentials, type Gateway, home, type Installation, install, serve } from './gateway.ts'
import { type Identity, policyOf, type Role, withIdentities } from './identities.ts'
import { occurrences } from './memory-scan.ts'
import { refusal, send, signed, signedPost } from './requests.ts'

const invalid = 'UnrecognizedClientException: The security token included in the request is invalid.'
const policies = [policyOf({ Effect: 'Allow', Action: 'kms:*', Resource: '*' })]

let installation: Installation
let faults: FaultHsm
let gateway: Gateway
const roles: Record<string, Role> = {}
/** Of a user, and of each role. */
const sessions: Record<string, Identity> = {}
/** Sessions that the gateway has not seen. */
let unseen: Identity[]

beforeAll(async () => {
  installation = await install()
  // On a busy machine a flood takes longer than the usual time-out.
  installation.configure(({ hsms }) => void Object.assign(hsms.softhsm!, { callTimeout: '20s' }))
  faults = installFaults(installation)
  await withIdentities(installation, async identities => {
    const user = await identities.user(home, 'alice', { policies })
    sessions.alice = await identities.session(user, '')
    for (const name of ['kept', 'revoked', 'gone', 'again']) {
      roles[name] = await identities.role(home, name, { policies })
      sessions[name] = await identities.session(roles[name], 'session')
    }
    unseen = await Promise.all(Array.from({ length: 30 }, (_, n) => identities.session(roles.kept!, `unseen-${n}`)))
  })
  gateway = await serve(installation)
})
beforeEach(() => faults.clear())
afterAll(async () => {
  await gateway?.stop()
  installation?.remove()
})

const credentialsOf = (name: string) => sessions[name]!.credentials
const tokenOf = (name: string) => credentialsOf(name).sessionToken!
/** What becomes of a call with the credentials of a session, some of them replaced. */
const outcome = (name: string, rest: object = {}) =>
  refusal(gateway.client({ credentials: { ...credentialsOf(name), ...rest } }).listKeys())
const blobOf = (token: string) => Buffer.from(token, 'base64url')

/** Another token at each call: what it holds is the same, its authentication tag is not. */
function forged(token: string): string {
  const blob = blobOf(token)
  randomBytes(16).copy(blob, blob.length - 16)
  return blob.toString('base64url')
}

describe('a session token', () => {
  it('sealed by another process is accepted, of a role and of a user', async () => {
    expect(await outcome('kept')).toBe('no refusal')
    expect(await outcome('alice')).toBe('no refusal')
    expect(gateway.records().at(-1)!.userIdentity).toMatchObject({
      type: 'IAMUser',
      userName: 'alice',
      accessKeyId: credentialsOf('alice').accessKeyId,
      sessionContext: { attributes: { mfaAuthenticated: 'false' } },
    })
  })

  it('that was cut, changed, spelled otherwise or blown up is invalid', async () => {
    const token = tokenOf('kept')
    const flipped = [0, 1, 20, 33, 34, 38, 60, blobOf(token).length - 1].map(at => {
      const blob = blobOf(token)
      blob[at]! ^= 1
      return blob.toString('base64url')
    })
    const cut = [1, 2, 3, 4, 20, 60, token.length - 1].map(length => token.slice(0, length))
    const spelled = [blobOf(token).toString('base64'), `${token}=`, `${token}==`, `${token}A`, `A${token}`].filter(
      // Base64 of some blobs needs no padding and none of the characters that differ.
      text => text !== token,
    )
    const others = [
      forged(token),
      'x',
      'null',
      '{}',
      "' or 1=1",
      'A'.repeat(60_000),
      token.repeat(100),
      `${token},${token}`,
    ]
    for (const sessionToken of [...flipped, ...cut, ...spelled, ...others])
      expect(await outcome('kept', { sessionToken }), sessionToken).toBe(invalid)
    expect(await outcome('kept')).toBe('no refusal')
  })

  it('goes with its own access key and secret only, whichever was seen before', async () => {
    const [a, b] = [credentialsOf('kept'), credentialsOf('alice')]
    const administrator = installation.credentials[home]!
    const mismatch = expect.stringMatching(
      /^InvalidSignatureException: The request signature we calculated does not match/,
    )
    const mixtures: readonly [Credentials, unknown][] = [
      [{ ...a, sessionToken: tokenOf('alice') }, invalid],
      [{ ...b, sessionToken: tokenOf('kept') }, invalid],
      [{ ...a, accessKeyId: b.accessKeyId }, invalid],
      [{ ...a, secretAccessKey: b.secretAccessKey }, mismatch],
      [{ ...a, ...administrator }, invalid],
      [{ ...administrator, accessKeyId: a.accessKeyId }, invalid],
      [{ accessKeyId: a.accessKeyId, secretAccessKey: a.secretAccessKey }, invalid],
      [{ ...unseen[0]!.credentials, secretAccessKey: a.secretAccessKey }, mismatch],
      [{ ...unseen[0]!.credentials, accessKeyId: a.accessKeyId, secretAccessKey: a.secretAccessKey }, invalid],
    ]
    for (const [mixed, expected] of mixtures) {
      expect(await refusal(gateway.client({ credentials: mixed }).listKeys())).toEqual(expected)
    }
    expect(await outcome('kept')).toBe('no refusal')
  })

  it('is no grant token and no ciphertext, and neither is a session token', async () => {
    const kms = gateway.client()
    const { KeyMetadata } = await kms.createKey({})
    const KeyId = KeyMetadata!.KeyId!
    const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext: Buffer.from('{}') })
    const grant = { KeyId, GranteePrincipal: roles.kept!.arn, Operations: ['Decrypt' as const] }
    const { GrantToken } = await kms.createGrant(grant)
    for (const sessionToken of [GrantToken, Buffer.from(CiphertextBlob!).toString('base64url')])
      expect(await outcome('kept', { sessionToken })).toBe(invalid)
    const token = tokenOf('kept')
    const GrantTokens = [token]
    expect(await refusal(kms.decrypt({ KeyId, CiphertextBlob, GrantTokens }))).toBe('InvalidGrantTokenException')
    for (const of of [{}, { KeyId }])
      expect(await refusal(kms.decrypt({ CiphertextBlob: blobOf(token), ...of }))).toMatch(
        /^(AccessDeniedException: The ciphertext refers to|IncorrectKeyException)/,
      )
    const { body } = await signedPost({
      url: gateway.url,
      credentials: installation.credentials[home]!,
      service: 'sts',
      target: null,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: `Action=DecodeAuthorizationMessage&Version=2011-06-15&EncodedMessage=${token}`,
    })
    expect(body).toContain('<Code>InvalidAuthorizationMessageException</Code>')
  })
})

describe('what is seen of a session', () => {
  it('is neither its token nor its secret: not in the log, the journal or storage', () => {
    const files = ['audit.jsonl', 'strongroom.db', 'strongroom.db-wal']
    const seen = [...files.map(file => readFileSync(join(installation.folder, file), 'latin1')), ...gateway.warnings()]
    for (const text of seen) {
      for (const { credentials } of Object.values(sessions)) {
        expect(text.includes(credentials.sessionToken!.slice(-40))).toBe(false)
        expect(text.includes(credentials.secretAccessKey)).toBe(false)
      }
    }
  })

  it('is no secret in the memory of the gateway, but of the last ones that were unsealed', async () => {
    const first = unseen.slice(0, 20)
    for (const { credentials } of first) await gateway.client({ credentials }).listKeys()
    const secrets = first.map(({ credentials }) => Buffer.from(credentials.secretAccessKey))
    for (const pid of [gateway.pid, ...gateway.workers()]) {
      const found = occurrences(pid, secrets).reduce((sum, count) => sum + count, 0)
      expect(found).toBeLessThanOrEqual(3)
    }
  })
})

describe('an HSM that cannot be asked', () => {
  it('refuses sessions that it has not seen, not as invalid, serves the others, and all of them once it is back', async () => {
    const kms = gateway.client({ credentials: unseen[20]!.credentials })
    faults.set('gone')
    const refused = 'KeyUnavailableException: The HSM is not available.'
    await expect.poll(() => refusal(kms.listKeys()), { timeout: 20_000 }).toBe(refused)
    expect(await outcome('kept')).toBe('no refusal')
    faults.clear()
    await expect.poll(() => refusal(kms.listKeys()), { timeout: 20_000 }).toBe('no refusal')
  })
})

describe('a flood of forged tokens', () => {
  const flood = 300

  it('delays neither known callers nor sessions that are new, from another address', async () => {
    const { KeyMetadata } = await gateway.client().createKey({})
    const kept = credentialsOf('kept')
    const requests = await Promise.all(
      Array.from({ length: flood }, () =>
        signed({
          url: gateway.url,
          credentials: { ...kept, sessionToken: forged(kept.sessionToken!) },
        }),
      ),
    )
    faults.set('delay C_Decrypt 1ms')
    let refused = 0
    const answers = requests.map(async ({ method, path, headers, body }) => {
      const answer = await send(gateway.url, { method, path, headers, localAddress: '127.0.0.2' }, body)
      refused++
      return answer.status
    })
    await expect.poll(() => faults.counts()[0]!.hits).toBeGreaterThan(0)
    const answered: number[] = []
    const known = gateway.client()
    await Promise.all([
      gateway
        .client({ credentials: unseen[21]!.credentials })
        .listKeys()
        .then(() => answered.push(refused)),
      known.encrypt({ KeyId: KeyMetadata!.KeyId!, Plaintext: Buffer.from('x') }).then(() => answered.push(refused)),
    ])
    // Those that a worker had taken are before them, with as many as come between.
    expect(Math.max(...answered)).toBeLessThan(flood / 2)
    expect(new Set(await Promise.all(answers))).toEqual(new Set([400]))
  })
})

describe('after a restart', () => {
  beforeAll(async () => {
    for (const name of ['kept', 'revoked', 'gone', 'again']) expect(await outcome(name)).toBe('no refusal')
    await gateway.stop()
    await withIdentities(installation, async identities => {
      await identities.revokeSessions(roles.revoked!)
      await identities.remove(roles.gone!)
      await identities.remove(roles.again!)
      roles.again = await identities.role(home, 'again', { policies })
      sessions.new = await identities.session(roles.again, 'session')
      sessions.later = await identities.session(roles.revoked!, 'session')
    })
    gateway = await serve(installation)
  })

  it.each([
    ['of a role that is there', 'kept', 'no refusal'],
    ['of a role whose sessions were revoked', 'revoked', invalid],
    ['of that role, issued later', 'later', 'no refusal'],
    ['of a role that is gone', 'gone', invalid],
    ['of a role that is gone, while another one has its name', 'again', invalid],
    ['of the other one', 'new', 'no refusal'],
  ])('a session %s is accepted or not', async (_whose, name, expected) => {
    expect(await outcome(name)).toBe(expected)
  })
})
