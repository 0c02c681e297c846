import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Outbox } from '../../src/outbox.ts'
import type { Services } from '../../src/services.ts'
import { sqlite } from '../../src/storage/engines/sqlite.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { sealGrantToken } from '../../src/vault/grant-tokens.ts'
import { importTokenLifetime, sealImportToken, unsealImportToken } from '../../src/vault/import-tokens.ts'
import { createSystemKeys } from '../../src/vault/system-keys.ts'
import { journalInto } from '../audit/records.ts'
import { type Fixture, openFixture } from '../jobs/fixture.ts'
import { openHere } from '../storage/open.ts'
import { aGrant, aKey } from '../storage/records.ts'

let fixture: Fixture
let vault: Pick<Services, 'storage' | 'hsms'>
/** Another installation on the same token. */
let foreign: typeof vault & { readonly storage: Storage }

beforeAll(async () => {
  fixture = await openFixture()
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

const keyArn = aKey(1).arn
const token = { keyArn, wrappingKey: 'ab'.repeat(32), algorithm: 'RSAES_OAEP_SHA_256', validTo: 1000 } as const
const seal = (by = vault) => sealImportToken(token, fixture.hsm.name, by)
const invalid = { code: 'InvalidImportToken', message: '' }

describe('an import token', () => {
  it('holds what it was made for, until its time is over', async () => {
    const bytes = await seal()
    expect(await unsealImportToken(bytes, keyArn, 999, vault)).toEqual(token)
    await expect(unsealImportToken(bytes, keyArn, 1000, vault)).rejects.toMatchObject({ code: 'ExpiredImportToken' })
    expect(importTokenLifetime).toBe(24 * 3_600_000)
  })

  it('is for no other KMS key, and no other installation, however late', async () => {
    const bytes = await seal()
    await expect(unsealImportToken(bytes, aKey(2).arn, 5000, vault)).rejects.toMatchObject(invalid)
    await expect(unsealImportToken(bytes, keyArn, 0, foreign)).rejects.toMatchObject(invalid)
    await expect(unsealImportToken(await seal(foreign), keyArn, 0, vault)).rejects.toMatchObject(invalid)
  })

  it('is not a token of another kind, nor part of one', async () => {
    const bytes = await seal()
    const grantToken = Buffer.from(await sealGrantToken(aGrant(1, aKey(1)), fixture.hsm.name, vault), 'base64url')
    const flipped = Array.from(bytes.keys(), index => bytes.with(index, bytes[index]! ^ 4))
    const cut = [0, 1, 16, bytes.length - 1].map(length => bytes.subarray(0, length))
    for (const other of [grantToken, ...flipped, ...cut, Buffer.concat([bytes, bytes])])
      await expect(unsealImportToken(other, keyArn, 0, vault)).rejects.toMatchObject(invalid)
  })
})
