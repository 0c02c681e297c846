import { randomUUID } from 'node:crypto'
import { type Backends, clock, unsealSecret } from '../assemble.ts'
import { OperatorError } from '../errors.ts'
import type { Hsm } from '../hsm/hsm.ts'
import { partitionOf } from '../model/arn.ts'
import type { AccessKey } from '../model/caller.ts'
import { encryptBlob } from '../operations/ciphertexts.ts'
import { createMaterial } from '../operations/materials.ts'
import { Changes, type Storage } from '../storage/storage.ts'
import type { PlainAccessKey } from './credentials.ts'

/** What an administrator may do: everything that its account may. */
const administratorAccess = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }],
})

const userName = 'administrator'

/** Creates the keys that the gateway itself needs on an HSM, if they are missing. */
export async function ensureSystemKeys(hsm: Hsm, storage: Storage): Promise<void> {
  for (const purpose of ['seal', 'canary'] as const) {
    if (storage.systemKeys.find(hsm.name, purpose)) continue
    const changes = new Changes(randomUUID())
    const kind = { spec: 'SYMMETRIC_DEFAULT', usage: 'ENCRYPT_DECRYPT' } as const
    const material = await createMaterial(hsm, kind, `strongroom ${purpose}`, clock())
    changes.put('systemKeys', { purpose, material, revision: 0 })
    await storage.commit(changes)
  }
}

/** Creates the administrator of an account and its access key, if they are missing. Its secret is sealed by the region's HSM. */
export async function ensureAdministrator(
  account: string,
  region: string,
  { storage, hsms }: Backends,
  given: PlainAccessKey | undefined,
): Promise<PlainAccessKey> {
  const arn = `arn:${partitionOf(region)}:iam::${account}:user/${userName}`
  const present = storage.accessKeys.ofPrincipal(arn)[0]
  if (present) return plain(present, { storage, hsms })
  const hsm = hsms.ofRegion(region)
  const key = given ?? {
    accessKeyId: `AKIA${await base32(hsm, 16)}`,
    secretAccessKey: Buffer.from(await hsm.random(30)).toString('base64'),
  }
  if (storage.accessKeys.find(key.accessKeyId)) {
    throw new OperatorError(`the access key ${key.accessKeyId} belongs to another account already`)
  }
  const { material } = storage.systemKeys.find(hsm.name, 'seal')!
  const context = { accessKeyId: key.accessKeyId }
  const changes = new Changes(randomUUID())
  changes.put('principals', {
    arn,
    account,
    userName,
    principalId: `AIDA${await base32(hsm, 17)}`,
    policies: [administratorAccess],
    revision: 0,
  })
  changes.put('accessKeys', {
    id: key.accessKeyId,
    principalArn: arn,
    sealedSecret: await encryptBlob(hsms, material, Buffer.from(key.secretAccessKey), context),
    revision: 0,
  })
  await storage.commit(changes)
  return key
}

async function plain(accessKey: AccessKey, { storage, hsms }: Backends): Promise<PlainAccessKey> {
  const secret = await unsealSecret(accessKey, storage, hsms)
  return { accessKeyId: accessKey.id, secretAccessKey: Buffer.from(secret).toString() }
}

/** RFC 4648, the alphabet of IAM identifiers. */
async function base32(hsm: Hsm, length: number): Promise<string> {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
  return Array.from(await hsm.random(length), byte => alphabet[byte % 32]).join('')
}
