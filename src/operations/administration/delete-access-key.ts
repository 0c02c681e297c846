import { z } from 'zod'
import { accessKeyId, accessKeyTarget } from './access-keys.ts'
import { operation } from './operation.ts'

export const deleteAccessKey = operation({
  name: 'DeleteAccessKey',
  schema: z.strictObject({ accessKeyId }),
  target: accessKeyTarget,
  recorded: ['accessKeyId'],
  async run({ target: { accessKey }, changes }) {
    changes.remove('accessKeys', accessKey)
    return {}
  },
})
