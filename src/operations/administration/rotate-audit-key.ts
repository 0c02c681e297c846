import { z } from 'zod'
import { Failure } from '../../errors.ts'
import { objectOf } from '../../model/keys/key.ts'
import { auditKey, auditKeyPem, detailsOf, isMissing, replaceAuditKey } from '../../vault/audit-key.ts'
import { destroyUncommitted } from '../../vault/materials.ts'
import { operation } from './operation.ts'

export interface RotatedAuditKey {
  readonly hsm: string
  readonly keyMaterialId: string
  /** PEM. */
  readonly publicKey: string
  /** Hex SHA-256 of the public key. */
  readonly fingerprint: string
  readonly previousFingerprint: string | undefined
}

/** Replaces the key that signs the audit journal. */
export const rotateAuditKey = operation({
  name: 'RotateAuditKey',
  schema: z.strictObject({ formerKeyLost: z.boolean().default(false) }),
  recorded: ['formerKeyLost'],
  recordedOutput: ['hsm', 'keyMaterialId', 'fingerprint', 'previousFingerprint'],
  async run({ input: { formerKeyLost }, storage, hsms, clock, changes }): Promise<RotatedAuditKey> {
    const names = hsms.all.map(({ name }) => name)
    const former = auditKey(names, storage)
    if (former === undefined) throw new Failure('NotFound', 'there is no audit key: run strongroom init')
    const { hsm } = objectOf(former.material)
    const replace = replaceAuditKey(
      hsms.named(hsm),
      { former, revision: former.revision },
      changes,
      { storage, hsms, clock },
      { isLost: formerKeyLost },
    )
    const created = await replace.catch(error => {
      if (!isMissing(error)) throw error
      const remedy = 'restore it, or add --former-key-lost to go on without its signature'
      throw new Failure('InvalidState', `the HSM ${hsm} does not have the present audit key: ${remedy}`)
    })
    return { hsm, ...detailsOf(created, former), publicKey: auditKeyPem(created) }
  },
  undo: destroyUncommitted,
})
