import { randomBytes, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { CreateKeyCommand } from '@aws-sdk/client-kms'
import { defaultKeyPolicy, type Key } from '../../src/model/keys/key.ts'
import { openStorage } from '../../src/storage/sql-storage.ts'
import { Changes } from '../../src/storage/storage.ts'
import { openInThread } from '../../src/storage/threaded-database.ts'
import { encryptScript } from './encrypt.ts'
import { type Figure, median } from './figure.ts'
import { DataFolder, region } from './gateway.ts'
import { load } from './load.ts'

/** The rate of Encrypt with 10,000 keys in storage, 1,000 of them on the token, against that with 10 keys. */
export async function encryptAtScale(): Promise<Figure> {
  const [few, many] = [new DataFolder(), new DataFolder()]
  await addKeys(few, 10)
  await addKeys(many, 1000)
  await addRecords(many, 9000)
  const gateways = [await few.serve(), await many.serve()] as const
  const scripts = [await encryptScript(few, gateways[0]), await encryptScript(many, gateways[1])] as const
  for (const i of [0, 1] as const) await load(gateways[i].url, scripts[i], 15)
  const rates: [number[], number[]] = [[], []]
  for (let round = 0; round < 6; round++) {
    for (const i of [0, 1] as const) rates[i].push((await load(gateways[i].url, scripts[i], 3)).requestsPerSecond)
  }
  await Promise.all(gateways.map(gateway => gateway.stop()))
  few.remove()
  many.remove()
  const [small, large] = rates.map(median) as [number, number]
  return {
    name: 'Encrypt with 10,000 keys / with 10 keys',
    value: large / small,
    unit: '',
    reach: { atLeast: 0.9 },
    details: `${Math.round(large)}/s against ${Math.round(small)}/s`,
  }
}

/** Keys by CreateKey: each has its object on the token. */
export async function addKeys(folder: DataFolder, count: number): Promise<void> {
  const gateway = await folder.serve()
  for (let done = 0; done < count; done += 10) {
    await Promise.all(Array.from({ length: 10 }, () => gateway.client.send(new CreateKeyCommand({}))))
  }
  await gateway.stop()
}

/** Keys in storage, on an HSM that does not exist: on an existing one they would be missing. */
export async function addRecords(folder: DataFolder, count: number): Promise<void> {
  const storage = await openStorage(await openInThread({ path: join(folder.path, 'strongroom.db'), create: false }), {
    now: Date.now(),
  })
  for (let done = 0; done < count; done += 1000) {
    const changes = new Changes()
    for (let i = 0; i < Math.min(1000, count - done); i++) changes.put('keys', aRecord())
    await storage.commit(changes)
  }
  await storage.close()
}

/** Of a key on an HSM that does not exist. */
export function aRecord(): Key {
  const id = randomUUID()
  const account = '000000000000'
  const object = randomBytes(32).toString('hex')
  const custody = { sensitive: true, extractable: false, alwaysSensitive: true, neverExtractable: true, local: true }
  return {
    arn: `arn:aws:kms:${region}:${account}:key/${id}`,
    id,
    account,
    region,
    spec: 'SYMMETRIC_DEFAULT',
    usage: 'ENCRYPT_DECRYPT',
    origin: 'AWS_KMS',
    state: 'Enabled',
    description: '',
    creationDate: 0,
    tags: [],
    policy: defaultKeyPolicy(account, 'aws'),
    materials: [{ id: object, createdAt: 0, object: { id: object, hsm: 'elsewhere', custody } }],
    revision: 0,
  }
}
