import { z } from 'zod'
import { encryptionLimit } from '../../model/keys/encryption-limit.ts'
import { encryptionPurposes, type Key } from '../../model/keys/key.ts'
import type { KeyUse } from '../../model/keys/key-use.ts'
import type { Services, Storage } from '../../services.ts'
import { accountOf } from './accounts.ts'
import { accountId, operation } from './operation.ts'

/** How much a key was used. */
export interface KeyUsage {
  /** ARN; one of the gateway's own has its purpose instead. */
  readonly key: string
  readonly hsm: string | undefined
  /** With AES-GCM under the current key material, at most; absent for keys of other kinds. */
  readonly encryptions?: number
  readonly lastUse?: Omit<KeyUse, 'keyArn'> | undefined
}

/** The keys with the most encryptions first, after those of the gateway. */
export const listKeyUsage = operation({
  name: 'ListKeyUsage',
  readOnly: true,
  schema: z.strictObject({ account: accountId.optional(), limit: z.int().min(1).max(1000).default(20) }),
  recorded: ['account', 'limit'],
  async run({ input: { account, limit }, storage, hsms }) {
    const keys = account === undefined ? storage.keys.all() : storage.keys.ofAccount(accountOf({ account }, storage))
    const most = keys
      .map(key => ({ key, encryptions: encryptionsOf(key, storage) }))
      .sort((a, b) => (b.encryptions ?? -1) - (a.encryptions ?? -1) || (a.key.arn < b.key.arn ? -1 : 1))
      .slice(0, limit)
    const shown = most.map(async ({ key, encryptions }): Promise<KeyUsage> => {
      const { keyArn: _, ...lastUse } = (await storage.keys.lastUse(key.arn)) ?? {}
      const hsm = key.materials.at(-1)?.object?.hsm
      return { key: key.arn, hsm, encryptions, ...('usedAt' in lastUse && { lastUse }) } as KeyUsage
    })
    return { encryptionLimit, systemKeys: systemKeys({ storage, hsms }), keys: await Promise.all(shown) }
  },
})

function encryptionsOf({ spec, materials }: Key, { encryptions }: Storage): number | undefined {
  const current = materials.at(-1)
  return spec === 'SYMMETRIC_DEFAULT' && current ? encryptions.made(current.id) : undefined
}

function systemKeys({ storage, hsms }: Pick<Services, 'storage' | 'hsms'>): KeyUsage[] {
  return hsms.all.flatMap(({ name: hsm }) =>
    encryptionPurposes.flatMap(key => {
      const material = storage.systemKeys.find(hsm, key)?.material
      return material ? [{ key, hsm, encryptions: storage.encryptions.made(material.id) }] : []
    }),
  )
}
