import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { replaceSecretFile } from '../private-files.ts'

export interface PlainAccessKey {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/**
 * Adds an access key to the shared-credentials file `credentials` of a folder, unless it is there. The first account is the
 * profile `default`, any other one has its account id as the name of its profile. AWS SDKs and Tools Reference Guide, "Shared
 * config and credentials files". Returns the path of the file.
 */
export function writeCredentials(folder: string, account: string, region: string, key: PlainAccessKey): string {
  const file = join(folder, 'credentials')
  const present = read(file)
  if (present.includes(`aws_access_key_id = ${key.accessKeyId}\n`)) return file
  const profile = present === '' ? 'default' : account
  const section = [
    `[${profile}]`,
    `# administrator of account ${account}`,
    `aws_access_key_id = ${key.accessKeyId}`,
    `aws_secret_access_key = ${key.secretAccessKey}`,
    `region = ${region}`,
    '',
  ]
  replaceSecretFile(file, `${present}${present && '\n'}${section.join('\n')}`)
  return file
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}
