import { z } from 'zod'
import { operation } from './operation.ts'
import { prefixSettings, prefixTarget, shownPrefix } from './xks-prefixes.ts'

/** Changes what is given; null takes a setting away. From the next request on. */
export const updateXksPrefix = operation({
  name: 'UpdateXksPrefix',
  schema: z.strictObject({
    prefix: z.string(),
    frozen: prefixSettings.frozen.optional(),
    quota: prefixSettings.quota.nullish(),
    clientCertificate: prefixSettings.clientCertificate.nullish(),
    sampleProxyAad: prefixSettings.sampleProxyAad.optional(),
  }),
  target: prefixTarget,
  recorded: ['prefix', 'frozen', 'quota', 'clientCertificate', 'sampleProxyAad'],
  async run({ input, target: { prefix }, storage, changes }) {
    const { frozen, quota, clientCertificate, sampleProxyAad } = input
    const updated = {
      ...prefix,
      frozen: frozen ?? prefix.frozen,
      quota: quota === undefined ? prefix.quota : (quota ?? undefined),
      clientCertificate: clientCertificate === undefined ? prefix.clientCertificate : (clientCertificate ?? undefined),
      sampleProxyAad: sampleProxyAad ?? prefix.sampleProxyAad,
    }
    changes.put('xksPrefixes', updated)
    return shownPrefix(updated, storage)
  },
})
