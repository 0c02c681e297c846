/** A gateway that is killed at each step of an import, a rotation and a deletion: after the restart nothing is half done. */
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { wrapMaterial } from '../contracts/wrapping.ts'
import type { FaultHsm } from '../fault-hsm/fault-hsm.ts'
import { Preloaded } from '../preloaded/preloaded.ts'
import { allAccounted, noteCommits, unaccounted } from './audit-consistency.ts'
import { installFaults } from './fault-injection.ts'
import { type Gateway, type Installation, install, serve } from './gateway.ts'
import { refusal } from './requests.ts'
import { objectsOn as objectsIn } from './token-objects.ts'

let installation: Installation
let faults: FaultHsm
let disk: Preloaded
let gateway: Gateway
let kms: KMS

const patient = { timeout: 60_000 }
/** Eight starts of a gateway, on a busy machine. */
const slow = { timeout: 120_000 }
const text = Buffer.from('a secret that is not one')
/** Ciphertexts of a key, in the order in which they were made. */
const ciphertexts = new Map<string, Uint8Array[]>()

beforeAll(async () => {
  installation = await install()
  faults = installFaults(installation)
  disk = new Preloaded('slow-disk', installation.folder)
  noteCommits(installation)
  await start()
})
afterAll(async () => {
  await gateway?.kill()
  installation?.remove()
})

async function start(): Promise<void> {
  gateway = await serve(installation, { environment: disk.environment })
  kms = gateway.client()
}

/** Kills the gateway while a call hangs, as a rule of the HSM says, and starts it again. */
async function killedIn(
  call: string,
  work: () => Promise<unknown>,
  { isThere = () => true, next = [] }: { isThere?: () => boolean; next?: readonly string[] } = {},
): Promise<void> {
  faults.set(`hang ${call}`)
  const unanswered = refusal(work())
  await vi.waitUntil(() => faults.counts()[0]!.hits > 0 && isThere(), patient)
  await gateway.kill()
  expect(await unanswered).not.toBe('no refusal')
  faults.set(...next)
  await start()
}

/** The same, when a new object is on the token, but the gateway has not been told. */
async function killedWithObject(call: string, work: () => Promise<unknown>): Promise<void> {
  const before = objectFiles()
  await killedIn(`${call} after`, work, { isThere: () => objectFiles() > before })
}

/** SoftHSM has a file for each object. */
function objectFiles(): number {
  const files = readdirSync(join(installation.folder, 'tokens'), { recursive: true }) as string[]
  return files.filter(name => name.endsWith('.object') && !name.endsWith('token.object')).length
}

/** Kills the gateway when storage has committed a change, but the audit file has no record of it, and starts it again. */
async function killedAfterCommit(eventName: string, work: () => Promise<unknown>): Promise<void> {
  const isWritten = () =>
    readFileSync(join(installation.folder, 'strongroom.db-wal')).includes(`"eventName":"${eventName}"`)
  expect(isWritten()).toBe(false)
  // Jobs may write before it.
  disk.set(5000)
  const unanswered = refusal(work())
  // The write-ahead log has the whole transaction before it is synchronized.
  await vi.waitUntil(() => isWritten() && disk.isWaiting, patient)
  await gateway.kill()
  await unanswered
  disk.set(0)
  expect(recorded(eventName)).toBe(0)
  await start()
  expect(successes(eventName)).toMatchObject([
    { addendum: { reason: 'DELIVERY_DELAY' }, additionalEventData: { strongroom: { answered: false } } },
  ])
}

async function encrypted(KeyId: string): Promise<void> {
  const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext: text })
  ciphertexts.set(KeyId, [...(ciphertexts.get(KeyId) ?? []), CiphertextBlob!])
}

async function created(Origin: 'AWS_KMS' | 'EXTERNAL' = 'AWS_KMS'): Promise<string> {
  return (await kms.createKey({ Origin })).KeyMetadata!.Arn!
}

async function importOf(KeyId: string) {
  const way = { WrappingAlgorithm: 'RSAES_OAEP_SHA_1', WrappingKeySpec: 'RSA_2048' } as const
  const { ImportToken, PublicKey } = await kms.getParametersForImport({ KeyId, ...way })
  const EncryptedKeyMaterial = wrapMaterial(PublicKey!, way.WrappingAlgorithm, randomBytes(32))
  return { KeyId, ImportToken, EncryptedKeyMaterial, ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' } as const
}

const outcomes = (name: string) => gateway.records().filter(({ eventName }) => eventName === name)
const successes = (name: string) => outcomes(name).filter(({ errorCode }) => errorCode === undefined)
const recorded = (name: string) => successes(name).length
const stateOf = async (KeyId: string) => (await kms.describeKey({ KeyId })).KeyMetadata!.KeyState
const rotationsOf = async (KeyId: string) => (await kms.listKeyRotations({ KeyId })).Rotations!.length

/** Every ciphertext decrypts. */
async function expectAll(KeyId: string): Promise<void> {
  for (const CiphertextBlob of ciphertexts.get(KeyId)!) {
    expect(Buffer.from((await kms.decrypt({ CiphertextBlob })).Plaintext!)).toEqual(text)
  }
}

function query<T>(sql: string): T[] {
  using database = new DatabaseSync(join(installation.folder, 'strongroom.db'))
  return database.prepare(sql).all() as T[]
}

const marks = () => query<{ object: string }>('select object from destructions').map(({ object }) => object)

/** CKA_IDs of the materials of keys, in the order of the keys. */
function objectsOf(...arns: readonly string[]): string[] {
  return arns.flatMap(arn =>
    query<{ object: string }>(`select object from key_materials where key_arn = '${arn}'`).map(({ object }) => object),
  )
}

it('leaves every key as it was, or as it should be, wherever an import or a rotation is cut off', slow, async () => {
  const [rotating, importing] = [await created(), await created('EXTERNAL')]
  await encrypted(rotating)
  const request = await importOf(importing)

  await killedWithObject('C_GenerateKey', () => kms.rotateKeyOnDemand({ KeyId: rotating }))
  await killedWithObject('C_UnwrapKey', () => kms.importKeyMaterial(request))
  const settled = {
    errorCode: 'InternalFailure',
    responseElements: null,
    additionalEventData: { strongroom: { answered: false } },
  }
  for (const [name, keyId] of [
    ['RotateKeyOnDemand', rotating],
    ['ImportKeyMaterial', importing],
  ] as const)
    expect(outcomes(name)).toMatchObject([{ ...settled, requestParameters: { keyId }, resources: [{ ARN: keyId }] }])
  expect(await rotationsOf(rotating)).toBe(0)
  expect(await stateOf(importing)).toBe('PendingImport')
  expect(await refusal(kms.encrypt({ KeyId: importing, Plaintext: text }))).toMatch(/ is pending import\.$/)
  await expectAll(rotating)

  await killedAfterCommit('ImportKeyMaterial', () => kms.importKeyMaterial(request))
  expect(await stateOf(importing)).toBe('Enabled')
  await encrypted(importing)

  await killedAfterCommit('RotateKeyOnDemand', () => kms.rotateKeyOnDemand({ KeyId: rotating }))
  expect(await rotationsOf(rotating)).toBe(1)
  await encrypted(rotating)

  // Both can be repeated by a caller without an answer.
  await kms.importKeyMaterial(request)
  await kms.rotateKeyOnDemand({ KeyId: rotating })
  for (const KeyId of [rotating, importing]) {
    await encrypted(KeyId)
    await expectAll(KeyId)
  }
  // That of the material that was imported again.
  await vi.waitUntil(() => recorded('DestroyKeyMaterial') === 1, patient)
})

it('finishes a deletion and an expiry wherever they are cut off', slow, async () => {
  const [deleted, expired, emptied, kept] = [
    await created(),
    await created('EXTERNAL'),
    await created('EXTERNAL'),
    await created(),
  ]
  for (const KeyId of [expired, emptied]) await kms.importKeyMaterial(await importOf(KeyId))
  await kms.rotateKeyOnDemand({ KeyId: deleted })
  for (const KeyId of [deleted, expired, emptied, kept]) await encrypted(KeyId)

  // Destroyed, but not recorded.
  const before = objectFiles()
  faults.set('hang C_DestroyObject after')
  await kms.deleteImportedKeyMaterial({ KeyId: emptied })
  await vi.waitUntil(() => objectFiles() < before, patient)
  await gateway.kill()
  const given = marks()
  expect(given).toHaveLength(1)
  expect(recorded('DestroyKeyMaterial')).toBe(1)
  faults.clear()
  await start()
  await vi.waitUntil(() => recorded('DestroyKeyMaterial') === 2, patient)
  expect(outcomes('DestroyKeyMaterial').map(({ errorCode }) => errorCode)).toEqual([
    undefined,
    'InternalFailure',
    undefined,
  ])

  // Marked, but not destroyed.
  for (const KeyId of [deleted, kept]) await kms.scheduleKeyDeletion({ KeyId })
  await gateway.stop()
  const doomed = objectsOf(deleted, expired)
  expect(doomed).toHaveLength(3)
  query(`update keys set deletion_date = 1 where arn = '${deleted}'`)
  query(`update key_materials set valid_to = 1 where key_arn = '${expired}'`)
  faults.set('ignore C_DestroyObject')
  await start()
  await gateway.logged(({ event }) => event === 'key_destruction_failed')
  await vi.waitUntil(() => recorded('DeleteKey') + recorded('DeleteExpiredKeyMaterial') === 2, patient)
  await gateway.kill()
  expect(marks().sort()).toEqual(doomed.sort())
  expect(recorded('DestroyKeyMaterial')).toBe(2)
  faults.clear()
  await start()

  expect(await refusal(kms.describeKey({ KeyId: deleted }))).toBe(`NotFoundException: Key '${deleted}' does not exist`)
  for (const KeyId of [expired, emptied]) expect(await stateOf(KeyId)).toBe('PendingImport')
  for (const KeyId of [deleted, expired, emptied]) {
    const [CiphertextBlob] = ciphertexts.get(KeyId)!
    expect(await refusal(kms.decrypt({ CiphertextBlob }))).toMatch(/^(AccessDenied|KMSInvalidState)Exception: /)
  }
  await vi.waitUntil(() => recorded('DestroyKeyMaterial') === 5, patient)
  await kms.cancelKeyDeletion({ KeyId: kept })
  await kms.enableKey({ KeyId: kept })
  await expectAll(kept)
  await gateway.stop()

  expect(marks()).toEqual([])
  for (const name of ['DeleteKey', 'DeleteExpiredKeyMaterial', 'DeleteImportedKeyMaterial'])
    expect(recorded(name)).toBe(1)
  const ids = (await objectsIn(installation)).map(({ id }) => id)
  expect(ids.filter(id => [...given, ...doomed].includes(id))).toEqual([])
})

it('leaves no change without a record, no record without a change, and no key without its object', async () => {
  expect(unaccounted(installation)).toEqual(allAccounted)
  const ids = (await objectsIn(installation)).map(({ id }) => id)
  const tables = ['key_materials', 'wrapping_keys', 'system_keys']
  const used = query<{ object: string | null }>(tables.map(table => `select object from ${table}`).join(' union '))
  const known = new Set(used.flatMap(({ object }) => object ?? []))
  expect(ids).toEqual(expect.arrayContaining([...known]))
  expect(new Set(ids).size).toBe(ids.length)
  // Generated or unwrapped for changes that were never committed: reported as orphaned, and no key uses them.
  expect(ids.filter(id => !known.has(id))).toHaveLength(2)
})
