import { randomBytes } from 'node:crypto'
import { serviceConditionKeys } from '../../../model/keys/key-condition-keys.ts'
import { sealGrantToken } from '../../../vault/grant-tokens.ts'
import { contextConditions } from '../encryption-condition-keys.ts'
import { newGrant } from '../new-grant.ts'
import { type Input, operation } from '../operation.ts'

export const createGrant = operation('CreateGrant')({
  readOnly: false,
  target: newGrant,
  conditionKeys: {
    ...contextConditions(({ input: { Constraints: constraints } }: { readonly input: Input<'CreateGrant'> }) => {
      return constraints?.EncryptionContextEquals ?? constraints?.EncryptionContextSubset
    }),
    'kms:GrantConstraintSourceArn': ({ input }) => input.Constraints?.SourceArn,
    'kms:GrantConstraintType': ({ input }) => Object.keys(input.Constraints ?? {}),
    'kms:GranteePrincipal': ({ input }) => input.GranteePrincipal,
    'kms:GranteeServicePrincipal': ({ input }) => input.GranteeServicePrincipal,
    ...serviceConditionKeys,
    'kms:GrantOperations': ({ input }) => input.Operations,
    'kms:RetiringPrincipal': ({ input }) => input.RetiringPrincipal,
    'kms:RetiringServicePrincipal': ({ input }) => input.RetiringServicePrincipal,
  },
  recorded: [
    'KeyId',
    'GranteePrincipal',
    'GranteeServicePrincipal',
    'RetiringPrincipal',
    'RetiringServicePrincipal',
    'Operations',
    'Constraints',
    'Name',
    'DryRun',
  ],
  recordedOutput: ['GrantId'],
  async run({ target: { grant: found, key }, storage, hsms, changes, clock }) {
    const isNew = !('id' in found)
    const grant = isNew ? { ...found, id: randomBytes(32).toString('hex'), creationDate: clock(), revision: 0 } : found
    // One that is there already, too: it still is when the answer is sent, and every success on record is a change of storage.
    changes.put('grants', grant)
    const GrantToken = await sealGrantToken(grant, hsms.ofRegion(key.region).name, { storage, hsms })
    return { GrantId: grant.id, GrantToken }
  },
})
