/** What only one of several gateways may do, asked of all of them at once. */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { OperationName } from '../../src/operations/kms/operation.ts'
import { wrapMaterial } from '../contracts/wrapping.ts'
import { type Installation, recordsOf, type WrittenConfig } from '../end-to-end/gateway.ts'
import { installStoreToken, type StoreToken } from '../end-to-end/key-stores.ts'
import { objectsOn } from '../end-to-end/token-objects.ts'
import { type PostgresqlServer, postgresql } from '../postgresql.ts'
import { decidedAtOnce } from './commits.ts'
import { type Asked, contested, exclusive, identity, service } from './exclusions.ts'
import { Fleet, type Member } from './fleet.ts'

const mostRotations = 10
const Plaintext = Buffer.from('a plaintext').toString('base64')

let server: PostgresqlServer
let fleet: Fleet
let token: StoreToken
beforeAll(async () => {
  server = await postgresql()
  const changes: ((config: WrittenConfig) => void)[] = []
  token = await installStoreToken({ configure: change => void changes.push(change) } as Installation)
  fleet = await Fleet.start({
    server,
    initAtOnce: true,
    configure(config) {
      for (const change of changes) change(config)
      config.rotation = { maxOnDemandRotations: mostRotations }
      config.authentication = { services: true }
    },
  })
})
afterAll(async () => {
  await fleet?.stop()
  await fleet?.[Symbol.asyncDispose]()
  await fleet?.database.drop()
  token?.softHsm.remove()
})

const call = (operation: OperationName, input: object, at = fleet.members[0]!) =>
  fleet.clients.administrator.expect(at.url, operation, input)
const administer = (operation: string, input: object, at = fleet.members[0]!) =>
  at.administer(administer => administer<object>(operation, input))

/** Whether it is done, or why not. */
const outcome = (answer: Promise<unknown>) =>
  answer.then(
    () => 'done',
    (error: Error) => error.message,
  )

/** Of a request to each of so many gateways, all of which are decided before any is committed. */
function outcomes(ask: Asked, count = fleet.members.length): Promise<string[]> {
  const asks = fleet.members.slice(0, count).map((member, index) => () => outcome(ask(member, index)))
  return decidedAtOnce(fleet, server, asks)
}

async function newKey(input: object = {}): Promise<string> {
  return ((await call('CreateKey', input)).KeyMetadata as { KeyId: string }).KeyId
}

function expectOne(outcomes: readonly string[], refusal: RegExp): void {
  expect(outcomes.filter(outcome => outcome === 'done')).toHaveLength(1)
  for (const outcome of outcomes) if (outcome !== 'done') expect(outcome).toMatch(refusal)
}

describe('what only one may have, asked for at all gateways at once, only one gets:', () => {
  it.each(Object.entries(contested))('%s', async (_, { refusal, prepare }) => {
    expectOne(await outcomes(await prepare({ token, call, administer, newKey })), refusal)
  })
})

describe('of two requests that exclude each other, sent to two gateways at once, the later one is refused:', () => {
  it.each(Object.entries(exclusive))('%s', async (_, prepare) => {
    for (const isReversed of [false, true]) {
      const [one, other] = await prepare({ token, call, administer, newKey })
      const inOrder = isReversed ? [other, one] : [one, other]
      const [first, second] = await outcomes((at, index) => inOrder[index]!(at, index), 2)
      expect(first).toBe('done')
      expect(second).toMatch(/there is no|has|delete the service first|is not found|is CONNECTING/)
    }
  })
})

/** Ids of the objects on the token that no record has. */
async function unknownObjects(): Promise<string[]> {
  const rows = await fleet.database.sql(`select id from key_materials union select object from system_keys
    union select object from wrapping_keys union select object from destructions`)
  const known = new Set(rows.map(({ id }) => id))
  return (await objectsOn(fleet)).map(({ id }) => id).filter(id => !known.has(id))
}

it('init of all gateways at once creates each key once, and names the same audit key everywhere', async () => {
  const rows = await fleet.database.sql('select purpose from system_keys order by purpose')
  expect(rows.map(({ purpose }) => purpose)).toEqual(['audit', 'canary', 'seal'])
  expect(await unknownObjects()).toEqual([])
  const files = fleet.members.map(({ installation }) => join(installation.folder, 'audit-key.pem'))
  expect(new Set(files.map(file => readFileSync(file, 'utf8'))).size).toBe(1)
})

describe('rotations of one key at all gateways at once', () => {
  let KeyId: string
  const blobs: unknown[] = []
  const rotations = async (count: number) => {
    const asks = Array.from({ length: count }, (_, index) => {
      return outcome(call('RotateKeyOnDemand', { KeyId }, fleet.members[index % fleet.members.length]))
    })
    return Promise.all(asks)
  }
  const encrypt = async (at: Member) => blobs.push((await call('Encrypt', { KeyId, Plaintext }, at)).CiphertextBlob)

  it('are done one after another, each by an answer, until the limit', async () => {
    KeyId = await newKey()
    await encrypt(fleet.members[0]!)
    let isOver = false
    const encrypting = fleet.members.map(async member => {
      for (; !isOver; await delay(100)) await encrypt(member)
    })
    expect(await rotations(8)).toEqual(Array(8).fill('done'))
    const last = await rotations(4)
    isOver = true
    await Promise.all(encrypting)
    expect(last.filter(outcome => outcome === 'done')).toHaveLength(mostRotations - 8)
    for (const outcome of last) expect(outcome).toMatch(/^done$|LimitExceededException/)
  })

  it('lose no key material: what was encrypted before, meanwhile and after decrypts at every gateway', async () => {
    for (const at of fleet.members) await encrypt(at)
    const used = new Set<unknown>()
    for (const CiphertextBlob of blobs)
      for (const at of fleet.members) {
        const decrypted = await call('Decrypt', { CiphertextBlob }, at)
        expect(decrypted.Plaintext).toBe(Plaintext)
        used.add(decrypted.KeyMaterialId)
      }
    expect(used.size).toBeGreaterThan(2)
    const materials = await fleet.database.sql(`select id from key_materials where key_arn like '%/${KeyId}'`)
    const objects = (await objectsOn(fleet)).filter(({ label }) => label.endsWith(KeyId)).map(({ id }) => id)
    expect(objects.sort()).toEqual(materials.map(({ id }) => id).sort())
    expect(objects).toHaveLength(1 + mostRotations)
  })

  it('are on record in their order', async () => {
    const records = fleet.members.flatMap(({ installation }) => recordsOf(installation))
    const next = new Map<unknown, unknown>()
    for (const { eventName, errorCode, additionalEventData } of records) {
      if (eventName !== 'RotateKeyOnDemand' || errorCode !== undefined) continue
      const own = additionalEventData!.strongroom as Record<string, string>
      next.set(own.previousKeyMaterialId, own.currentKeyMaterialId)
    }
    const listed = { KeyId, IncludeKeyMaterial: 'ALL_KEY_MATERIAL' }
    for (const at of fleet.members) {
      const { Rotations } = await call('ListKeyRotations', listed, at)
      const [first, ...ids] = (Rotations as { KeyMaterialId: string }[]).map(({ KeyMaterialId }) => KeyMaterialId)
      const inOrder = [first]
      for (let id = next.get(first); id !== undefined; id = next.get(id)) inOrder.push(id as string)
      expect(inOrder).toEqual([first, ...ids])
      expect(ids).toHaveLength(mostRotations)
    }
  })
})

describe('a key that is created when it is first used, at all gateways at once, is created once:', () => {
  it('that of a service', async () => {
    await administer('CreateIdentity', identity('user', 'queues'))
    await administer('PutService', service('sqs.amazonaws.com', 'queues'))
    const found: unknown[] = []
    const describe: Asked = async at => {
      const { KeyMetadata } = await call('DescribeKey', { KeyId: 'alias/aws/sqs' }, at)
      found.push((KeyMetadata as { Arn: string }).Arn)
    }
    expect(await outcomes(describe)).toEqual(['done', 'done', 'done'])
    const rows = await fleet.database.sql("select arn from keys where service = 'sqs.amazonaws.com'")
    expect(rows).toHaveLength(1)
    expect(new Set(found)).toEqual(new Set([rows[0]!.arn]))
    expect(await unknownObjects()).toEqual([])
  })

  it('that which wraps imported key material', async () => {
    const KeyId = await newKey({ Origin: 'EXTERNAL' })
    const way = { WrappingAlgorithm: 'RSAES_OAEP_SHA_256', WrappingKeySpec: 'RSA_2048' }
    const found: Record<string, string>[] = []
    const ask: Asked = async at => {
      found.push((await call('GetParametersForImport', { KeyId, ...way }, at)) as Record<string, string>)
    }
    expect(await outcomes(ask)).toEqual(['done', 'done', 'done'])
    expect(await unknownObjects()).toEqual([])
    const material = randomBytes(32)
    for (const { PublicKey = '', ImportToken } of found) {
      const wrapped = wrapMaterial(Buffer.from(PublicKey, 'base64'), way.WrappingAlgorithm as never, material)
      const EncryptedKeyMaterial = wrapped.toString('base64')
      const ExpirationModel = 'KEY_MATERIAL_DOES_NOT_EXPIRE'
      await call('ImportKeyMaterial', { KeyId, ImportToken, EncryptedKeyMaterial, ExpirationModel })
    }
    expect(new Set(found.map(({ PublicKey }) => PublicKey)).size).toBe(1)
  })
})
