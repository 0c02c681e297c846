/** The access key of a new administrator, as the environment gives it. */
import { OperatorError } from '../errors.ts'

/** Environment variables that set the access key of an administrator when it is created. */
export const administratorVariables = ['STRONGROOM_ADMIN_ACCESS_KEY_ID', 'STRONGROOM_ADMIN_SECRET_ACCESS_KEY'] as const

/** Undefined when the environment sets none. Throws OperatorError. */
export function administratorKeyFromEnvironment(): { accessKeyId: string; secretAccessKey: string } | undefined {
  const [idName, secretName] = administratorVariables
  const { [idName]: accessKeyId, [secretName]: secretAccessKey } = process.env
  if (!accessKeyId && !secretAccessKey) return undefined
  return {
    accessKeyId: checked(idName, accessKeyId, [[/^[A-Za-z0-9_]{3,128}$/, 'must be 3 to 128 letters and digits']]),
    secretAccessKey: checked(secretName, secretAccessKey, [
      [/^.{8}/su, 'must have at least 8 characters'],
      [/^.{0,128}$/su, 'must have at most 128 characters'],
    ]),
  }
}

function checked(name: string, value: string | undefined, rules: readonly (readonly [RegExp, string])[]): string {
  if (value === undefined) throw new OperatorError(`environment variable ${name} is not set`)
  const [, broken] = rules.find(([rule]) => !rule.test(value)) ?? []
  if (broken !== undefined) throw new OperatorError(`environment variable ${name} ${broken}`)
  return value
}
