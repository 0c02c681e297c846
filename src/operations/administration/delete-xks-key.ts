import { z } from 'zod'
import { operation } from './operation.ts'
import { externalKeyTarget } from './xks-keys.ts'

/** Serves the external key no longer. The KMS key behind it stays. */
export const deleteXksKey = operation({
  name: 'DeleteXksKey',
  schema: z.strictObject({ prefix: z.string(), id: z.string() }),
  target: externalKeyTarget,
  recorded: ['prefix', 'id'],
  async run({ target: { externalKey }, changes }) {
    changes.remove('xksKeys', externalKey)
    return {}
  },
})
