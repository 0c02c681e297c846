import { z } from 'zod'
import { accessKeyId, accessKeyTarget } from './access-keys.ts'
import { operation } from './operation.ts'

/** Requests with an inactive access key are refused. */
export const updateAccessKey = operation({
  name: 'UpdateAccessKey',
  schema: z.strictObject({ accessKeyId, status: z.enum(['Active', 'Inactive']) }),
  target: accessKeyTarget,
  recorded: ['accessKeyId', 'status'],
  async run({ input: { status }, target: { accessKey }, changes }) {
    changes.put('accessKeys', { ...accessKey, status })
    return {}
  },
})
