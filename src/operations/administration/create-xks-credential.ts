import { z } from 'zod'
import { Failure } from '../../errors.ts'
import { operation } from './operation.ts'
import { maximumCredentials, named, newCredential, prefixTarget } from './xks-prefixes.ts'

/** The next credential of a prefix, which only the answer has. Those that it has stay valid. */
export const createXksCredential = operation({
  name: 'CreateXksCredential',
  schema: z.strictObject({ prefix: z.string() }),
  target: prefixTarget,
  recorded: ['prefix'],
  recordedOutput: ['accessKeyId'],
  async run({ target: { prefix }, storage, hsms, clock, changes }) {
    const { name, region, credentials } = prefix
    if (credentials.length >= maximumCredentials) {
      const present = credentials.map(({ accessKeyId }) => accessKeyId).join(' and ')
      throw new Failure(
        'LimitExceeded',
        `${named(name)} has the credentials ${present}: delete the one that is not used`,
      )
    }
    const { credential, configuration } = await newCredential(name, clock(), hsms.ofRegion(region), { storage, hsms })
    changes.put('xksPrefixes', { ...prefix, credentials: [...credentials, credential] })
    return { accessKeyId: credential.accessKeyId, configuration }
  },
})
