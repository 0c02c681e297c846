import { z } from 'zod'
import { Failure } from '../../errors.ts'
import type { Hsm, Hsms } from '../../services.ts'
import { sealSecret } from '../../vault/access-key-secrets.ts'
import { randomIdentifier, randomSecret } from '../../vault/identifiers.ts'
import { maximumAccessKeys } from './access-keys.ts'
import { userTarget } from './accounts.ts'
import { accountId, operation } from './operation.ts'

/** Only the answer has the secret access key. */
export const createAccessKey = operation({
  name: 'CreateAccessKey',
  schema: z.strictObject({ account: accountId.optional(), user: z.string() }),
  target: userTarget,
  recorded: ['account', 'user'],
  recordedOutput: ['accessKeyId', 'status'],
  async run({ target: { user }, changes, clock, storage, hsms }) {
    if (storage.accessKeys.ofPrincipal(user.arn).length >= maximumAccessKeys)
      throw new Failure('LimitExceeded', `Cannot exceed quota for AccessKeysPerUser: ${maximumAccessKeys}`)
    const hsm = sealingHsm(hsms)
    const accessKeyId = await randomIdentifier('AKIA', hsm)
    const secretAccessKey = await randomSecret(hsm)
    const secret = Buffer.from(secretAccessKey)
    const sealedSecret = await sealSecret(accessKeyId, secret, hsm.name, { storage, hsms })
    secret.fill(0)
    const status = 'Active' as const
    const createdAt = clock()
    changes.put('accessKeys', { id: accessKeyId, principalArn: user.arn, sealedSecret, status, createdAt, revision: 0 })
    // So that of two at the same time, one is decided again: they would exceed the quota together.
    changes.put('principals', user)
    return { accessKeyId, secretAccessKey, userName: user.name, status, createdAt }
  },
})

/** One that is ready, if there is one. */
function sealingHsm({ all }: Hsms): Hsm {
  const hsm = all.find(({ health }) => health.state === 'ready') ?? all[0]
  if (hsm === undefined) throw new Failure('KeyUnavailable')
  return hsm
}
