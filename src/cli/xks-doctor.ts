/** `strongroom doctor --xks`. */
import { z } from 'zod'
import { OperatorError } from '../errors.ts'
import { isXksAccessKeyId, isXksSecretAccessKey, type XksProxyConfiguration } from '../model/xks/credentials.ts'
import { isUriPath, uriPathOf } from '../model/xks/uris.ts'
import type { ShownXksKey } from '../operations/administration/xks-keys.ts'
import type { ShownPrefix } from '../operations/administration/xks-prefixes.ts'
import { checkSecretFile } from '../private-files.ts'
import type { Inspected } from '../xks-proxies/inspection.ts'
import type { ProxyReport } from '../xks-proxies/proxy-report.ts'
import { reportLines } from './hsm-report.ts'
import { administer, readText } from './identity-options.ts'
import type { ConfigOptions } from './options.ts'
import type { XksDoctorOptions } from './xks-doctor-options.ts'

const configurationSchema = z.object({
  XksProxyUriPath: z.string().refine(isUriPath),
  XksProxyAuthenticationCredential: z.object({
    AccessKeyId: z.string().refine(isXksAccessKeyId),
    RawSecretAccessKey: z.string().refine(isXksSecretAccessKey),
  }),
})

/** Throws OperatorError, without what is in the file: that is a secret. */
function readConfiguration(file: string): XksProxyConfiguration {
  checkSecretFile(file)
  try {
    return configurationSchema.parse(JSON.parse(readText(file)))
  } catch (cause) {
    if (cause instanceof OperatorError) throw cause
    throw new OperatorError(`${file} is not what strongroom xks create-prefix prints`, { exitCode: 2 })
  }
}

/** Rejects with an OperatorError if AWS KMS could not use the proxy. */
export async function inspectXksProxy(endpoint: string, options: XksDoctorOptions): Promise<void> {
  const { xksConfiguration, xksAddress: address, xksCa: caFile, json } = options
  if (caFile !== undefined) readText(caFile)
  const inspected = {
    host: endpoint.slice('https://'.length),
    address,
    caFile,
    ...(xksConfiguration === undefined ? nothing : await served(readConfiguration(xksConfiguration), options)),
  }
  const { inspectXks } = await import('../assemble/xks-inspection.ts')
  const report = await inspectXks(inspected)
  if (inspected.commonName !== undefined)
    report.warnings.push(
      `the prefix takes client certificates of ${inspected.commonName} only: round trip and keys are not tested`,
    )
  process.stdout.write(json ? `${JSON.stringify({ [endpoint]: report }, null, 2)}\n` : page(endpoint, report))
  if (report.problems.length > 0) throw new OperatorError('AWS KMS could not use it: see the problems above')
}

interface Served extends Pick<Inspected, 'access' | 'keys'> {
  /** Of the client certificates that are needed, which only AWS KMS has. */
  readonly commonName?: string | undefined
}

const nothing: Served = { keys: [] }

/** The prefix and its keys, as this gateway serves them. */
async function served(configuration: XksProxyConfiguration, options: ConfigOptions): Promise<Served> {
  return administer(options, async call => {
    const { prefixes } = await call<{ readonly prefixes: readonly ShownPrefix[] }>('ListXksPrefixes', {})
    const found = prefixes.find(({ prefix }) => uriPathOf(prefix) === configuration.XksProxyUriPath)
    if (!found) throw new OperatorError(`there is no prefix with the URI path ${configuration.XksProxyUriPath}`)
    if (found.clientCertificate) return { ...nothing, commonName: found.clientCertificate.commonName }
    const { keys } = await call<{ readonly keys: readonly ShownXksKey[] }>('ListXksKeys', { prefix: found.prefix })
    return { access: { configuration, region: found.region }, keys: keys.map(({ id }) => id) }
  })
}

function page(endpoint: string, report: ProxyReport): string {
  const { addresses, tls, certificate, roundTrip, clock, keys, warnings, problems } = report
  return reportLines(endpoint, [
    ['IPv4', addresses?.join(', ')],
    ['TLS', tls?.join(', ')],
    ['certificate', certificate],
    ['round trip', roundTrip],
    ['clock', clock],
    ['keys', keys],
    ...warnings.map((text): [string, string] => ['warning', text]),
    ...problems.map((text): [string, string] => ['problem', text]),
  ])
}
