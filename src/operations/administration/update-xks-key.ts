import { z } from 'zod'
import { operation } from './operation.ts'
import { externalKeyTarget, shownXksKey } from './xks-keys.ts'

/** Changes what is given, from the next request on. Without the pin, it forgets the KMS key that it was pinned to. */
export const updateXksKey = operation({
  name: 'UpdateXksKey',
  schema: z.strictObject({
    prefix: z.string(),
    id: z.string(),
    frozen: z.boolean().optional(),
    pinFirstUser: z.boolean().optional(),
  }),
  target: externalKeyTarget,
  recorded: ['prefix', 'id', 'frozen', 'pinFirstUser'],
  async run({ input: { frozen, pinFirstUser }, target: { externalKey }, storage, changes }) {
    const updated = {
      ...externalKey,
      frozen: frozen ?? externalKey.frozen,
      pinFirstUser: pinFirstUser ?? externalKey.pinFirstUser,
      pinnedTo: pinFirstUser === false ? undefined : externalKey.pinnedTo,
    }
    changes.put('xksKeys', updated)
    return shownXksKey(updated, storage)
  },
})
