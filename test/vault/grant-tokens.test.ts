import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Failure } from '../../src/errors.ts'
import { Outbox } from '../../src/outbox.ts'
import type { Hsm, Services } from '../../src/services.ts'
import { sqlite } from '../../src/storage/engines/sqlite.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { sealSecret, unsealSecret } from '../../src/vault/access-key-secrets.ts'
import { sealGrantToken, unsealGrantToken } from '../../src/vault/grant-tokens.ts'
import { createSystemKeys } from '../../src/vault/system-keys.ts'
import { journalInto } from '../audit/records.ts'
import { type Fixture, openFixture } from '../jobs/fixture.ts'
import { openHere } from '../storage/open.ts'
import { aGrant, aKey, anAccessKey, aPrincipal } from '../storage/records.ts'

type Vault = Pick<Services, 'storage' | 'hsms'>

let fixture: Fixture
let vault: Vault
/** Another installation on the same token. */
let foreign: Vault & { readonly storage: Storage }
let name: string

beforeAll(async () => {
  fixture = await openFixture()
  name = fixture.hsm.name
  const storage = await openHere(sqlite(':memory:', { create: true }))
  vault = { storage: fixture.storage, hsms: { ...fixture.services.hsms, all: [fixture.hsm], named: () => fixture.hsm } }
  foreign = { ...vault, storage }
  const { audit } = fixture.services
  const outbox = await Outbox.open(storage, journalInto([]), { gateway: 'gateway' })
  await createSystemKeys(fixture.hsm, { ...fixture.services, clock: () => 0 }, {})
  await createSystemKeys(fixture.hsm, { storage, audit, outbox, clock: () => 0 }, {})
})
afterAll(async () => {
  await foreign?.storage.close()
  await fixture?.close()
})

const grant = aGrant(1, aKey(1))
const identity = { keyArn: grant.keyArn, id: grant.id }
const seal = (by = vault) => sealGrantToken(grant, name, by)
const invalid = { code: 'InvalidGrantToken', message: '' }

/** Counts decryptions by the HSM. */
function counting(decrypt?: Hsm['decrypt']) {
  const calls = { count: 0 }
  const hsm = Object.create(fixture.hsm, {
    ivLength: { value: fixture.hsm.ivLength },
    name: { value: name },
    decrypt: {
      value: (...args: Parameters<Hsm['decrypt']>) => {
        calls.count++
        return decrypt ? decrypt(...args) : fixture.hsm.decrypt(...args)
      },
    },
  }) as Hsm
  return { calls, vault: { storage: vault.storage, hsms: { ...vault.hsms, all: [hsm], named: () => hsm } } }
}

describe('a grant token', () => {
  it('identifies its grant, is new each time, and shows nothing of it', async () => {
    const tokens = await Promise.all(Array.from({ length: 5 }, () => seal()))
    expect(new Set(tokens).size).toBe(5)
    for (const token of tokens) {
      expect(await unsealGrantToken(token, vault)).toEqual(identity)
      expect(token.length).toBeLessThan(1000)
      expect(Buffer.from(token, 'base64url').includes(grant.id.slice(0, 8))).toBe(false)
    }
  })

  it('is invalid if a bit has changed, the end is missing, or something follows', async () => {
    const token = await seal()
    const blob = Buffer.from(token, 'base64url')
    await fc.assert(
      fc.asyncProperty(fc.nat(blob.length - 1), fc.nat(7), fc.string(), async (at, bit, more) => {
        const flipped = Buffer.from(blob)
        flipped[at]! ^= 1 << bit
        // The header of a forger has a right checksum.
        const forged = Buffer.from(flipped)
        forged.writeUInt32BE(crc32(forged.subarray(0, 34)), 34)
        const others = [flipped, blob.subarray(0, at), ...(at < 34 ? [forged] : [])]
        const texts = [...others.map(bytes => bytes.toString('base64url')), token + (more || '='), more]
        for (const text of texts) await expect(unsealGrantToken(text, vault)).rejects.toMatchObject(invalid)
      }),
      { numRuns: 30 },
    )
  })

  it('is invalid in another installation, known there or not', async () => {
    const [own, other] = [await seal(), await seal(foreign)]
    for (const _ of [1, 2]) {
      expect(await unsealGrantToken(own, vault)).toEqual(identity)
      expect(await unsealGrantToken(other, foreign)).toEqual(identity)
      await expect(unsealGrantToken(own, foreign)).rejects.toMatchObject(invalid)
      await expect(unsealGrantToken(other, vault)).rejects.toMatchObject(invalid)
    }
  })

  it('cannot be the secret of an access key, nor such a secret a token', async () => {
    const sealed = await sealSecret('AKIAEXAMPLE', Buffer.from('["arn","id"]'), name, vault)
    const token = Buffer.from(sealed).toString('base64url')
    await expect(unsealGrantToken(token, vault)).rejects.toMatchObject(invalid)
    const accessKey = anAccessKey('AKIAEXAMPLE', aPrincipal('someone'), {
      sealedSecret: Buffer.from(await seal(), 'base64url'),
    })
    await expect(unsealSecret(accessKey, vault)).rejects.toMatchObject({ code: 'InvalidCiphertext' })
  })

  it('is unsealed by the HSM once, and an invalid one each time', async () => {
    const { calls, vault: counted } = counting()
    const token = await seal()
    for (let i = 0; i < 5; i++) await unsealGrantToken(token, counted)
    expect(calls.count).toBe(1)
    const cut = `${token.slice(0, -4)}AAAA`
    for (let i = 0; i < 3; i++) await expect(unsealGrantToken(cut, counted)).rejects.toMatchObject(invalid)
    expect(calls.count).toBe(4)
  })

  it('is not called invalid if the HSM cannot be asked', async () => {
    const failing = counting(() => Promise.reject(new Failure('KeyUnavailable')))
    await expect(unsealGrantToken(await seal(), failing.vault)).rejects.toMatchObject({ code: 'KeyUnavailable' })
  })

  it('is remembered with a limited number of others', async () => {
    const plaintext = Buffer.from(JSON.stringify([grant.keyArn, grant.id]))
    const { calls, vault: counted } = counting(async () => plaintext)
    const token = Buffer.from(await seal(), 'base64url')
    const nth = (n: number) => {
      token.writeUInt32BE(n, token.length - 4)
      return token.toString('base64url')
    }
    for (let n = 0; n <= 10_000; n++) await unsealGrantToken(nth(n), counted)
    await unsealGrantToken(nth(10_000), counted)
    expect(calls.count).toBe(10_001)
    await unsealGrantToken(nth(0), counted)
    expect(calls.count).toBe(10_002)
  })
})
