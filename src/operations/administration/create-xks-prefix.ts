import { z } from 'zod'
import { Failure } from '../../errors.ts'
import type { Hsm, Hsms } from '../../services.ts'
import { accountOf } from './accounts.ts'
import { accountId, operation } from './operation.ts'
import { named, newCredential, prefixName, prefixSettings } from './xks-prefixes.ts'

const { frozen: _, ...settings } = prefixSettings

/** A tenant of the XKS proxy with its first credential, which only the answer has. */
export const createXksPrefix = operation({
  name: 'CreateXksPrefix',
  schema: z.strictObject({
    prefix: prefixName,
    account: accountId.optional(),
    region: z.string(),
    quota: settings.quota.optional(),
    clientCertificate: settings.clientCertificate.optional(),
    sampleProxyAad: settings.sampleProxyAad.default(false),
  }),
  recorded: ['prefix', 'account', 'region', 'quota', 'clientCertificate', 'sampleProxyAad'],
  recordedOutput: ['accessKeyId'],
  async run({ input: { prefix: name, ...input }, storage, hsms, clock, changes }) {
    if (storage.xksPrefixes.find(name)) throw new Failure('AlreadyExists', `${named(name)} exists already`)
    const account = accountOf(input, storage)
    const hsm = hsmOf(input.region, hsms)
    const { credential, configuration } = await newCredential(name, clock(), hsm, { storage, hsms })
    changes.put('xksPrefixes', { ...input, name, account, frozen: false, credentials: [credential], revision: 0 })
    // So that of this and a deletion of the account at the same time, one is decided again.
    changes.put('accounts', storage.accounts.find(account)!)
    return { accessKeyId: credential.accessKeyId, configuration }
  },
})

/** Throws Validation for a region without an HSM. */
function hsmOf(region: string, hsms: Hsms): Hsm {
  try {
    return hsms.ofRegion(region)
  } catch (cause) {
    throw new Failure('Validation', `no HSM of region ${region} is connected: is it under regions?`, { cause })
  }
}
