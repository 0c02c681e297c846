import type { GrantConstraints } from '../../../model/keys/grant.ts'
import { contextConditions } from '../encryption-condition-keys.ts'
import { type GrantTarget, retiredGrant } from '../grant-targets.ts'
import { operation } from '../operation.ts'

interface Asked {
  readonly target: GrantTarget
  readonly asMissing: boolean
}

function constraintsOf({ target: { grant }, asMissing }: Asked): GrantConstraints | undefined {
  return asMissing ? undefined : grant?.constraints
}

export const retireGrant = operation('RetireGrant')({
  readOnly: false,
  target: retiredGrant,
  conditionKeys: {
    ...contextConditions((asked: Asked) => {
      const constraints = constraintsOf(asked)
      return constraints?.EncryptionContextEquals ?? constraints?.EncryptionContextSubset
    }),
    'kms:GrantConstraintType': asked => Object.keys(constraintsOf(asked) ?? {}),
  },
  // As on AWS: what the request names is told by the resources and the grantId of additionalEventData.
  recorded: [],
  async run({ target, changes }) {
    changes.remove('grants', target.grant!)
  },
})
