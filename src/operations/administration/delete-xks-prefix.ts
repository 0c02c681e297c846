import { z } from 'zod'
import { Failure } from '../../errors.ts'
import { operation } from './operation.ts'
import { named, prefixTarget } from './xks-prefixes.ts'

/** With its credentials. Throws InvalidState for one with external keys: KMS keys depend on them. */
export const deleteXksPrefix = operation({
  name: 'DeleteXksPrefix',
  schema: z.strictObject({ prefix: z.string() }),
  target: prefixTarget,
  recorded: ['prefix'],
  async run({ target: { prefix }, storage, changes }) {
    const keys = storage.xksKeys.ofPrefix(prefix.name).length
    if (keys > 0)
      throw new Failure(
        'InvalidState',
        `${named(prefix.name)} has ${keys} external key${keys === 1 ? '' : 's'}: remove them first`,
      )
    changes.remove('xksPrefixes', prefix)
    return {}
  },
})
