/** The file `credentials` of a data folder. AWS SDKs and Tools Reference Guide, "Shared config and credentials files". */
import { join } from 'node:path'
import { OperatorError } from '../errors.ts'
import { readIfThere, replaceSecretFile } from '../private-files.ts'

export interface PlainAccessKey {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

export function credentialsFile(folder: string): string {
  return join(folder, 'credentials')
}

/** The access key that the file of a folder has for an account. */
export function readCredentials(folder: string, account: string): PlainAccessKey | undefined {
  const [, , accessKeyId, secretAccessKey] = sectionOf(account).exec(readIfThere(credentialsFile(folder)) ?? '') ?? []
  return accessKeyId === undefined ? undefined : { accessKeyId, secretAccessKey: secretAccessKey! }
}

/**
 * Writes the access key of an account to the file, replacing a previous one. The first account becomes the profile `default`, others a
 * profile named after the account ID.
 */
export function writeCredentials(folder: string, account: string, region: string, key: PlainAccessKey): void {
  const file = credentialsFile(folder)
  const present = readIfThere(file) ?? ''
  const former = sectionOf(account).exec(present)
  const profile = former?.[1] ?? (present === '' ? 'default' : account)
  const section = sectionText(profile, account, region, key)
  const text = former ? present.replace(former[0], () => section) : `${present}${present && '\n'}${section}`
  try {
    if (text !== present) replaceSecretFile(file, text)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new OperatorError(`cannot write ${file}: ${code}`, { cause: error })
  }
}

function sectionText(profile: string, account: string, region: string, key: PlainAccessKey): string {
  return `[${profile}]
# administrator of account ${account}
aws_access_key_id = ${key.accessKeyId}
aws_secret_access_key = ${key.secretAccessKey}
region = ${region}
`
}

function sectionOf(account: string): RegExp {
  return new RegExp(
    `^\\[(.*)\\]\n# administrator of account ${account}\naws_access_key_id = (.*)\naws_secret_access_key = (.*)\nregion = .*\n`,
    'm',
  )
}
