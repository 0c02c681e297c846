import { randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Failure } from '../../src/errors.ts'
import type { NewSession, Session } from '../../src/model/identities/session.ts'
import { Outbox } from '../../src/outbox.ts'
import type { Hsm, Services } from '../../src/services.ts'
import { sqlite } from '../../src/storage/engines/sqlite.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { sealSecret, unsealSecret } from '../../src/vault/access-key-secrets.ts'
import { encryptBlob } from '../../src/vault/ciphertexts.ts'
import { sealGrantToken, unsealGrantToken } from '../../src/vault/grant-tokens.ts'
import { sealToken } from '../../src/vault/sealed-tokens.ts'
import { packedPolicySize, sealSession, unsealSession } from '../../src/vault/session-tokens.ts'
import { createSystemKeys } from '../../src/vault/system-keys.ts'
import { journalInto } from '../audit/records.ts'
import { type Fixture, openFixture } from '../jobs/fixture.ts'
import { openHere } from '../storage/open.ts'
import { aGrant, aKey, anAccessKey, aPrincipal } from '../storage/records.ts'

type Vault = Pick<Services, 'storage' | 'hsms'>

/** Two HSMs of one installation. */
let first: Fixture
let second: Fixture
let vault: Vault
/** Another installation on the first token. */
let foreign: Vault & { readonly storage: Storage }

beforeAll(async () => {
  first = await openFixture(() => ({ name: 'first' }))
  second = await openFixture(() => ({ name: 'second' }))
  vault = { storage: first.storage, hsms: hsmsOf(first.hsm, second.hsm) }
  const storage = await openHere(sqlite(':memory:', { create: true }))
  foreign = { storage, hsms: hsmsOf(first.hsm) }
  const { audit } = first.services
  const outbox = await Outbox.open(storage, journalInto([]), { gateway: 'gateway' })
  for (const { hsm } of [first, second]) await createSystemKeys(hsm, { ...first.services, clock: () => 0 }, {})
  await createSystemKeys(first.hsm, { storage, audit, outbox, clock: () => 0 }, {})
})
afterAll(async () => {
  await foreign?.storage.close()
  await first?.close()
  await second?.close()
})

function hsmsOf(...all: Hsm[]): Services['hsms'] {
  return { ...first.services.hsms, all, named: (name: string) => all.find(hsm => hsm.name === name)! }
}

const secret = 'not-a-secret/of+the/tests-0123456789abcd'
const userSession: NewSession = {
  accessKeyId: 'ASIAEXAMPLEEXAMPLE00',
  secret,
  principalId: 'AIDAEXAMPLEEXAMPLE000',
  issuedAt: 1_700_000_000_000,
  expiresAt: 1_700_003_600_000,
}
const roleSession: NewSession = {
  ...userSession,
  principalId: 'AROAEXAMPLEEXAMPLE000',
  role: {
    name: 'night@example.com',
    policies: ['{"Version":"2012-10-17","Statement":[]}', '{}'],
    tags: [{ TagKey: 'équipe', TagValue: '' }],
    transitiveTagKeys: ['équipe'],
    sourceIdentity: 'alice',
    chained: true,
    federation: {
      provider: 'arn:aws:iam::111122223333:oidc-provider/ci.example.com',
      subject: 'repo:a/b',
      audience: 'sts',
    },
  },
}
const known = ({ secret: _, ...session }: NewSession): Session => session
const seal = (session = userSession, hsm = 'first', by = vault) => sealSession(session, hsm, by)
const unseal = (token: string, { accessKeyId } = userSession, by = vault) => unsealSession(token, accessKeyId, by)

/** Counts what the HSMs are asked to decrypt, or does it otherwise. */
function counting(decrypt?: Hsm['decrypt']) {
  const calls = { count: 0 }
  const of = (hsm: Hsm) =>
    Object.create(hsm, {
      name: { value: hsm.name },
      decrypt: {
        value: (...args: Parameters<Hsm['decrypt']>) => {
          calls.count++
          return (decrypt ?? hsm.decrypt.bind(hsm))(...args)
        },
      },
    }) as Hsm
  return { calls, vault: { storage: vault.storage, hsms: hsmsOf(of(first.hsm), of(second.hsm)) } }
}

describe('a session token', () => {
  it.each([
    ['a user', userSession],
    ['a role', roleSession],
  ])('holds the session of %s, sealed by any HSM, and shows nothing of it', async (_whose, session) => {
    for (const hsm of ['first', 'second']) {
      const [token, another] = [await seal(session, hsm), await seal(session, hsm)]
      expect(another).not.toBe(token)
      expect(token).toMatch(/^[\w-]+$/)
      expect(await unseal(token)).toEqual({ session: known(session), secret: Uint8Array.from(Buffer.from(secret)) })
      for (const part of [secret, session.principalId, session.accessKeyId])
        expect(Buffer.from(token, 'base64url').includes(part.slice(4, 14))).toBe(false)
    }
  })

  it('has a few hundred characters without session policies', async () => {
    expect((await seal()).length).toBeLessThan(350)
    expect((await seal({ ...roleSession, role: { name: 'night' } })).length).toBeLessThan(400)
  })

  it('is invalid if any bit has changed, cut at any length, with anything after it, or for another access key', async () => {
    const token = await seal()
    const blob = Buffer.from(token, 'base64url')
    for (let length = 0; length < token.length; length += length < 60 ? 1 : 7)
      expect(await unseal(token.slice(0, length))).toBeUndefined()
    await fc.assert(
      fc.asyncProperty(fc.nat(blob.length - 1), fc.nat(7), fc.string({ minLength: 1 }), async (at, bit, more) => {
        const flipped = Buffer.from(blob)
        flipped[at]! ^= 1 << bit
        // The header of a forger has a right checksum.
        const forged = Buffer.from(flipped)
        forged.writeUInt32BE(crc32(forged.subarray(0, 34)), 34)
        const texts = [flipped, ...(at < 34 ? [forged] : [])].map(bytes => bytes.toString('base64url'))
        for (const text of [...texts, token + more, more + token]) expect(await unseal(text)).toBeUndefined()
      }),
      { numRuns: 30 },
    )
    expect(await unseal(token, { ...userSession, accessKeyId: 'ASIAEXAMPLEEXAMPLE01' })).toBeUndefined()
  })

  it('has one form: other spellings of the same bytes are not sent to an HSM', async () => {
    const { calls, vault: counted } = counting()
    // One that ends with bits that are not used.
    let session = userSession
    while (Buffer.from(await seal(session), 'base64url').length % 3 === 0)
      session = { ...session, secret: `${session.secret}x` }
    const token = await seal(session)
    const blob = Buffer.from(token, 'base64url')
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const next = alphabet[alphabet.indexOf(token.at(-1)!) + 1]!
    const spellings = [
      blob.toString('base64'),
      `${token}=`,
      `${token}==`,
      token.slice(0, -1) + next,
      ` ${token}`,
      `${token} `,
      `${token.slice(0, 40)}\n${token.slice(40)}`,
      `${token.slice(0, 40)} ${token.slice(40)}`,
      `${token},${token}`,
      encodeURIComponent(`${token}=`),
      blob.toString('hex'),
    ]
    for (const spelling of spellings.filter(spelling => spelling !== token)) {
      expect(Buffer.from(spelling, 'base64url').subarray(0, 20).length).toBe(20)
      expect(await unseal(spelling, session, counted), spelling).toBeUndefined()
    }
    expect(calls.count).toBe(0)
    expect(await unseal(token, session, counted)).toBeDefined()
  })

  it('that is no ciphertext of a seal key of this installation, or too long, is not sent to an HSM', async () => {
    const { calls, vault: counted } = counting()
    const key = await first.key(1)
    const ofKey = await encryptBlob(vault, key.materials[0]!, Buffer.from('{}'), { purpose: 'session token' })
    const long = Buffer.concat([Buffer.from(await seal(), 'base64url'), Buffer.alloc(6000)])
    const blobs = [ofKey, long, randomBytes(300), Buffer.alloc(0), Buffer.from('not-a-token')]
    for (const blob of blobs)
      expect(await unseal(Buffer.from(blob).toString('base64url'), userSession, counted)).toBeUndefined()
    expect(await unseal(await seal(userSession, 'first', foreign), userSession, counted)).toBeUndefined()
    expect(await unseal(await seal(), userSession, foreign)).toBeUndefined()
    expect(calls.count).toBe(0)
  })

  it('cannot be another ciphertext of the seal key, nor take the place of one', async () => {
    const { accessKeyId } = userSession
    const grant = aGrant(1, aKey(1))
    const sealedSecret = await sealSecret(accessKeyId, Buffer.from(secret), 'first', vault)
    const texts = [
      Buffer.from(sealedSecret).toString('base64url'),
      await sealGrantToken(grant, 'first', vault),
      await sealToken(Buffer.from('{}'), { purpose: 'authorization message' }, 'first', vault),
      await sealToken(Buffer.from('{}'), { purpose: 'session token' }, 'first', vault),
    ]
    for (const text of texts) expect(await unseal(text)).toBeUndefined()
    const token = await seal()
    await expect(unsealGrantToken(token, vault)).rejects.toMatchObject({ code: 'InvalidGrantToken' })
    const accessKey = anAccessKey(accessKeyId, aPrincipal('x'), { sealedSecret: Buffer.from(token, 'base64url') })
    await expect(unsealSecret(accessKey, vault)).rejects.toMatchObject({ code: 'InvalidCiphertext' })
  })

  it('of another version is invalid', async () => {
    const context = { purpose: 'session token', accessKeyId: userSession.accessKeyId }
    for (const plaintext of [[], [0], [2, 1, 65], [255, 0]])
      expect(await unseal(await sealToken(Uint8Array.from(plaintext), context, 'first', vault))).toBeUndefined()
  })

  it('is not called invalid if its HSM cannot be asked', async () => {
    const failing = counting(() => Promise.reject(new Failure('KeyUnavailable')))
    await expect(unseal(await seal(), userSession, failing.vault)).rejects.toMatchObject({ code: 'KeyUnavailable' })
  })

  it('takes the secret out of the plaintext', async () => {
    const plaintexts: Uint8Array[] = []
    const { vault: watched } = counting(async (...args) => {
      const plaintext = await first.hsm.decrypt(...args)
      plaintexts.push(plaintext)
      return plaintext
    })
    await unseal(await seal(), userSession, watched)
    expect(plaintexts.map(plaintext => Buffer.from(plaintext).includes(secret.slice(0, 4)))).toEqual([false])
  })
})

describe('the packed size of a session', () => {
  /** Base64 of random bytes: it cannot be compressed to less than three quarters. */
  const withPolicy = (length: number): NewSession => ({
    ...roleSession,
    role: { name: 'night', policies: [randomBytes(length).toString('base64').slice(0, length)] },
  })

  it('grows with its policies and tags', () => {
    const sizes = [userSession, roleSession, withPolicy(1000), withPolicy(2000), withPolicy(7000)].map(packedPolicySize)
    expect(sizes).toEqual(sizes.toSorted((a, b) => a - b))
    expect(sizes.every(Number.isInteger)).toBe(true)
    expect(sizes[0]).toBeGreaterThan(0)
  })

  it('leaves room for the longest session policy, whatever its text, and 50 short tags', () => {
    const { role } = withPolicy(2048)
    const tags = Array.from({ length: 50 }, (_, n) => ({
      TagKey: `department-${n}`,
      TagValue: randomBytes(8).toString('hex'),
    }))
    expect(packedPolicySize({ ...roleSession, role: { ...role!, tags } })).toBeLessThanOrEqual(100)
  })

  it('at 100 fits the longest token, and above is refused before an HSM is asked', async () => {
    let session = withPolicy(7000)
    for (let length = 7000; packedPolicySize(session) <= 100; length += 10) session = withPolicy(length)
    const tooLarge = {
      code: 'PackedPolicyTooLarge',
      message: /^Packed policy consumes 10\d% of allotted space, please/,
    }
    const asked = { ...vault, hsms: hsmsOf() }
    await expect(seal(session, 'first', asked)).rejects.toMatchObject({
      ...tooLarge,
      message: expect.stringMatching(tooLarge.message),
    })
    for (let length = session.role!.policies![0]!.length; packedPolicySize(session) > 100; length--)
      session = withPolicy(length)
    const token = await seal(session)
    expect(token.length).toBeGreaterThan(7800)
    expect(token.length).toBeLessThanOrEqual(8000)
    expect((await unseal(token))?.session).toEqual(known(session))
  })
})
