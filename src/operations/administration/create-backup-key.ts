import { z } from 'zod'
import { newBackupKey } from '../../vault/backup-keys.ts'
import { operation } from './operation.ts'

export interface BackupKey {
  /** Base64. */
  readonly dataKey: string
  readonly wrapped: readonly {
    readonly hsm: string
    /** CKA_ID of the seal key. */
    readonly object: string
    /** Base64. */
    readonly blob: string
  }[]
}

/** The key that encrypts one backup. The command that asks for it reads the storage itself: only its answer has the key in plaintext. */
export const createBackupKey = operation({
  name: 'CreateBackupKey',
  schema: z.strictObject({ backup: z.uuid() }),
  recorded: ['backup'],
  async run({ input: { backup }, storage, hsms }): Promise<BackupKey> {
    const { key, wrapped } = await newBackupKey(backup, { storage, hsms })
    const dataKey = Buffer.from(key).toString('base64')
    key.fill(0)
    const base64 = (blob: Uint8Array) => Buffer.from(blob).toString('base64')
    return { dataKey, wrapped: wrapped.map(({ blob, ...by }) => ({ ...by, blob: base64(blob) })) }
  },
})
