/** The access key of a new administrator, as the environment gives it. */
import { z } from 'zod'
import { OperatorError } from '../errors.ts'

const administratorKey = z.object({
  accessKeyId: z.string().regex(/^[A-Za-z0-9_]{3,128}$/, 'must be 3 to 128 letters and digits'),
  secretAccessKey: z.string().min(8, 'must have at least 8 characters').max(128, 'must have at most 128 characters'),
})

/** Environment variables that set the access key of an administrator when it is created. */
export const administratorVariables = ['STRONGROOM_ADMIN_ACCESS_KEY_ID', 'STRONGROOM_ADMIN_SECRET_ACCESS_KEY'] as const

/** Undefined when the environment sets none. Throws OperatorError. */
export function administratorKeyFromEnvironment(): z.infer<typeof administratorKey> | undefined {
  const [idName, secretName] = administratorVariables
  const { [idName]: accessKeyId, [secretName]: secretAccessKey } = process.env
  if (!accessKeyId && !secretAccessKey) return undefined
  const { success, data, error } = administratorKey.safeParse({ accessKeyId, secretAccessKey })
  if (success) return data
  const issue = error.issues[0]!
  const name = issue.path[0] === 'accessKeyId' ? idName : secretName
  throw new OperatorError(
    `environment variable ${name} ${issue.code === 'invalid_type' ? 'is not set' : issue.message}`,
  )
}
