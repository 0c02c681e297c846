import { z } from 'zod'
import { Failure } from '../../errors.ts'
import type { AccessKey, AccessKeyUse } from '../../model/identities/access-key.ts'
import type { Principal } from '../../model/identities/principal.ts'
import type { Storage } from '../../services.ts'
import type { Search, Target } from '../operation.ts'
import { targetOf } from './operation.ts'

/** IAM User Guide, "IAM and AWS STS quotas". */
export const maximumAccessKeys = 2

export const accessKeyId = z.string().regex(/^\w{16,128}$/, 'not an access key ID')

/** An access key as it is shown: never with its secret. */
export interface ShownAccessKey {
  readonly accessKeyId: string
  readonly userName: string
  readonly status: AccessKey['status']
  /** Milliseconds since the epoch. */
  readonly createdAt?: number | undefined
  readonly lastUse?: Omit<AccessKeyUse, 'accessKeyId'> | undefined
}

export async function shownAccessKey(
  { id, status, createdAt }: AccessKey,
  { name }: Principal,
  { accessKeys }: Storage,
): Promise<ShownAccessKey> {
  const { accessKeyId: _, ...lastUse } = (await accessKeys.lastUse(id)) ?? {}
  const wasUsed = 'usedAt' in lastUse
  return { accessKeyId: id, userName: name, status, createdAt, ...(wasUsed && { lastUse }) } as ShownAccessKey
}

export interface AccessKeyTarget extends Target {
  readonly accessKey: AccessKey
}

/** An access key, by its ID. Throws NotFound. */
export const accessKeyTarget = {
  find({ accessKeyId }: { readonly accessKeyId: string }, { storage }: Search): AccessKeyTarget {
    const accessKey = storage.accessKeys.find(accessKeyId)
    if (accessKey === undefined) throw new Failure('NotFound', `there is no access key ${accessKeyId}`)
    return { ...targetOf(accessKey.principalArn), accessKey }
  },
}
