import { z } from 'zod'
import { operation } from './operation.ts'
import { credentialTarget, xksAccessKeyId } from './xks-prefixes.ts'

/** Requests with an inactive credential are refused from the next one on. */
export const updateXksCredential = operation({
  name: 'UpdateXksCredential',
  schema: z.strictObject({
    prefix: z.string(),
    accessKeyId: xksAccessKeyId,
    status: z.enum(['Active', 'Inactive']),
  }),
  target: credentialTarget,
  recorded: ['prefix', 'accessKeyId', 'status'],
  async run({ input: { status }, target: { prefix, credential }, changes }) {
    const credentials = prefix.credentials.map(other => (other === credential ? { ...credential, status } : other))
    changes.put('xksPrefixes', { ...prefix, credentials })
    return {}
  },
})
