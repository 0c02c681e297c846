import { z } from 'zod'
import { Failure } from '../../errors.ts'
import { operation } from './operation.ts'
import { credentialTarget, named, xksAccessKeyId } from './xks-prefixes.ts'

/** Throws InvalidState for the only one: a prefix is frozen or deleted to refuse all requests. */
export const deleteXksCredential = operation({
  name: 'DeleteXksCredential',
  schema: z.strictObject({ prefix: z.string(), accessKeyId: xksAccessKeyId }),
  target: credentialTarget,
  recorded: ['prefix', 'accessKeyId'],
  async run({ target: { prefix, credential }, changes }) {
    const credentials = prefix.credentials.filter(other => other !== credential)
    if (credentials.length === 0) {
      const remedy = 'rotate it first, or freeze or delete the prefix'
      throw new Failure(
        'InvalidState',
        `${credential.accessKeyId} is the only credential of ${named(prefix.name)}: ${remedy}`,
      )
    }
    changes.put('xksPrefixes', { ...prefix, credentials })
    return {}
  },
})
