/** Custom key stores. */
import { z } from 'zod'
import { duration } from '../quantities.ts'
import { clientTlsFiles, withBothOrNeither } from './client-tls.ts'

/** KMS API Reference, "CreateCustomKeyStore". */
export const clusterId = z
  .string()
  .regex(/^cluster-[2-7a-zA-Z]{11,16}$/, 'not a cluster id: cluster- and 11 to 16 letters or digits from 2 to 7')

/** A host name or IPv4 address, as the URI endpoint of a store has it. */
const host = z.string().regex(/^[a-z0-9.-]{1,253}$/, 'not a host: use lower-case letters, digits, dots and dashes')

const proxy = z
  .strictObject({
    address: z
      .string()
      .regex(/^(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):[1-9]\d{0,4}$/, 'not an address: write host:port')
      .exactOptional(),
    ...clientTlsFiles,
  })
  .refine(...withBothOrNeither)

export const customKeyStores = z.strictObject({
  allKeySpecs: z.boolean().default(false),
  passwords: z.enum(['sealed', 'memory']).default('sealed'),
  connectTimeout: duration('1s', '10m').prefault('60s'),
  allowPrivateAddresses: z.boolean().default(false),
  proxyTimeout: duration('10ms', '10s').prefault('250ms'),
  proxies: z.record(host, proxy).default({}),
})

type CustomKeyStores = z.infer<typeof customKeyStores>

export function withAbsoluteProxyFiles(settings: CustomKeyStores, absolute: (path: string) => string): CustomKeyStores {
  const proxies = Object.entries(settings.proxies).map(([host, proxy]) => {
    const files = (['caFile', 'certificateFile', 'keyFile'] as const).flatMap(name => {
      const file = proxy[name]
      return file === undefined ? [] : [[name, absolute(file)]]
    })
    return [host, { ...proxy, ...Object.fromEntries(files) }]
  })
  return { ...settings, proxies: Object.fromEntries(proxies) }
}
