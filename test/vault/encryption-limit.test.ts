import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encryptionLimit } from '../../src/model/keys/encryption-limit.ts'
import { currentMaterial, type Key } from '../../src/model/keys/key.ts'
import { Outbox } from '../../src/outbox.ts'
import { sqlite } from '../../src/storage/engines/sqlite.ts'
import { openDatabase } from '../../src/storage/kysely-database.ts'
import type { SqlDatabase } from '../../src/storage/sql-database.ts'
import { openStorage } from '../../src/storage/sql-storage.ts'
import { Changes } from '../../src/storage/storage.ts'
import { sealSecret } from '../../src/vault/access-key-secrets.ts'
import { decryptBlob, encryptBlob, encryptWith, type VaultOfCall } from '../../src/vault/ciphertexts.ts'
import { createDataKey, createDataKeyPair } from '../../src/vault/data-keys.ts'
import { createMaterial } from '../../src/vault/materials.ts'
import { sealToken } from '../../src/vault/sealed-tokens.ts'
import { checkCanary, createSystemKeys } from '../../src/vault/system-keys.ts'
import { journalInto } from '../audit/records.ts'
import { type Fixture, openFixture } from '../jobs/fixture.ts'
import { aKey } from '../storage/records.ts'
import { noExternalKeys } from '../xks-proxies/none.ts'

const text = Buffer.from('attack at dawn')

let fixture: Fixture
let database: SqlDatabase
let vault: VaultOfCall
let key: Key
/** Of the seal key and the canary key. */
let [seal, canary]: string[] = []

beforeAll(async () => {
  fixture = await openFixture()
  database = await openDatabase(sqlite(':memory:', { create: true }))
  const storage = await openStorage(database, { now: 0 })
  vault = { storage, hsms: fixture.hsms, externalKeys: noExternalKeys }
  const outbox = await Outbox.open(storage, journalInto([]), { gateway: 'gateway' })
  await createSystemKeys(fixture.hsm, { ...fixture.services, storage, outbox, clock: () => 0 }, {})
  const record = aKey(1)
  const changes = new Changes()
  changes.put('keys', { ...record, materials: [await createMaterial(fixture.hsm, record, record.arn, 0)] })
  await storage.commit(changes)
  key = storage.keys.find(record.arn)!
  ;[seal, canary] = (['seal', 'canary'] as const).map(
    purpose => storage.systemKeys.find(fixture.hsm.name, purpose)!.material.id,
  )
})
afterAll(async () => {
  await database?.close()
  await fixture?.close()
})

const name = () => fixture.hsm.name
const made = (material: string) => vault.storage.encryptions.made(material)
const id = () => currentMaterial(key).id

describe('every encryption with AES-GCM counts', () => {
  it.each<[string, string, () => Promise<unknown>]>([
    ['Encrypt, and ReEncrypt', 'key', () => encryptWith(vault, key, 'SYMMETRIC_DEFAULT', text)],
    ['data keys', 'key', () => createDataKey(vault, key, { KeySpec: 'AES_256' })],
    ['data key pairs', 'key', () => createDataKeyPair(vault, key, { KeyPairSpec: 'ECC_NIST_P256' })],
    ['tokens', 'seal', () => sealToken(text, { purpose: 'test' }, name(), vault)],
    ['secrets of access keys', 'seal', () => sealSecret('AKIATEST', text, name(), vault)],
    ['checks of the canary key', 'canary', () => checkCanary(name(), vault)],
  ])('of %s', async (_, which, encrypt) => {
    const counts = () => ({ key: made(id()), seal: made(seal!), canary: made(canary!) })
    const before: Record<string, number> = counts()
    await encrypt()
    expect(counts()).toEqual({ ...before, [which]: before[which]! + 1 })
  })

  it('even if it fails', async () => {
    const { id, object } = currentMaterial(key)
    const missing = { id, createdAt: 0, object: { ...object!, id: 'f'.repeat(64) } }
    const before = made(id)
    await expect(encryptBlob(vault, missing, text)).rejects.toThrow()
    expect(made(id)).toBe(before + 1)
  })

  it('but no decryption', async () => {
    const blob = await encryptBlob(vault, currentMaterial(key), text)
    const before = made(id())
    await decryptBlob(vault.hsms, currentMaterial(key), blob)
    expect(made(id())).toBe(before)
  })
})

describe('a key that has made all encryptions but two', () => {
  beforeAll(async () => {
    const ids = [id(), seal!, canary!]
    const stored = async () => new Map((await loadCounts()).map(({ material, count }) => [material, count]))
    const loadCounts = () => database.loadEncryptionCounts({ after: '', limit: 100 })
    const setAll = async () => {
      const counts = await stored()
      const added = ids.map(material => ({ material, count: encryptionLimit - 2 - (counts.get(material) ?? 0) }))
      await database.addEncryptionCounts('gateway', added)
    }
    await setAll()
    vault = { ...vault, storage: await openStorage(database, { now: 0 }) }
    // Not closed before, as after a crash.
    expect(made(id())).toBeGreaterThan(encryptionLimit)
    await setAll()
    await database.endTracking('gateway')
    vault = { ...vault, storage: await openStorage(database, { now: 0 }) }
  })

  it('makes two more, and no third, of concurrent ones, too', async () => {
    const outcomes = await Promise.allSettled(
      [1, 2, 3, 4].map(() => encryptWith(vault, key, 'SYMMETRIC_DEFAULT', text)),
    )
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'rejected'])
    const message = `The key material ${id()} has encrypted 4294967296 messages, as many as AES-GCM allows. Rotate the key on demand, or use another key.`
    for (let again = 0; again < 2; again++) {
      await expect(createDataKey(vault, key, { KeySpec: 'AES_256' })).rejects.toMatchObject({
        code: 'LimitExceeded',
        message,
      })
      expect(made(id())).toBe(encryptionLimit)
    }
  })

  it('still decrypts', async () => {
    const { storage } = fixture
    const blob = await encryptBlob({ ...vault, storage }, currentMaterial(key), text)
    expect(await decryptBlob(vault.hsms, currentMaterial(key), blob)).toEqual(text)
  })

  it('says what to do if it was imported', async () => {
    const imported = { ...currentMaterial(key), imported: {} }
    await expect(encryptBlob(vault, imported, text)).rejects.toThrow(
      'Import new key material and rotate the key on demand, or use another key.',
    )
  })

  it('of the gateway is unavailable to callers, and the log says why', async () => {
    const sealed = () => sealToken(text, { purpose: 'test' }, name(), vault)
    await sealed()
    await sealed()
    await expect(sealed()).rejects.toMatchObject({
      code: 'KeyUnavailable',
      message: '',
      cause: new Error(
        `the seal key of the HSM ${name()} has encrypted 4294967296 messages, as many as AES-GCM allows`,
      ),
    })
    for (let i = 0; i < 2; i++) await checkCanary(name(), vault)
    await expect(checkCanary(name(), vault)).rejects.toMatchObject({ code: 'KeyUnavailable' })
  })
})
