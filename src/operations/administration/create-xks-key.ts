import { z } from 'zod'
import { Failure } from '../../errors.ts'
import { isExternalKeyId, keyPath, longestUri, uriPathOf } from '../../model/xks/uris.ts'
import { operation, targetOf } from './operation.ts'
import { servedKey, shownXksKey } from './xks-keys.ts'
import { named, prefixOf } from './xks-prefixes.ts'

/** Clients and load balancers resolve `.` and `..` in a path. */
const externalKeyId = z
  .string()
  .refine(id => isExternalKeyId(id) && !/^\.\.?$/.test(id), 'an external key id has up to 128 of A-Z a-z 0-9 - _ .')

/** Serves a KMS key of the gateway as an external key. Its id is that of the KMS key if none is given. */
export const createXksKey = operation({
  name: 'CreateXksKey',
  schema: z.strictObject({
    prefix: z.string(),
    key: z.string().max(2048),
    id: externalKeyId.optional(),
    pinFirstUser: z.boolean().default(false),
  }),
  target: {
    find({ prefix: name, key: identifier }, { storage }) {
      const prefix = prefixOf(name, storage)
      const key = servedKey(identifier, prefix, storage)
      return { ...targetOf(key.arn), prefix, key }
    },
  },
  recorded: ['prefix', 'key', 'id', 'pinFirstUser'],
  recordedOutput: ['id', 'keyArn'],
  async run({ input: { pinFirstUser, id: wanted }, target: { prefix, key }, storage, changes }) {
    const id = wanted ?? key.id
    if (storage.xksKeys.find(prefix.name, id))
      throw new Failure('AlreadyExists', `${named(prefix.name)} has an external key ${id} already`)
    // The rest is for `https://` and a host name of at least four characters.
    if (keyPath(uriPathOf(prefix.name), id, 'metadata').length > longestUri - 12)
      throw new Failure('Validation', `the URI of ${id} is too long: it has at most ${longestUri} characters`)
    const externalKey = { prefix: prefix.name, id, keyArn: key.arn, frozen: false, pinFirstUser, revision: 0 }
    changes.put('xksKeys', externalKey)
    // So that of this and a deletion of the prefix at the same time, one is decided again.
    changes.put('xksPrefixes', prefix)
    return shownXksKey(externalKey, storage)
  },
})
