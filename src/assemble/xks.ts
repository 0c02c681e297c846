/** The XKS proxy: its authentication and its listener. */
import { readFileSync } from 'node:fs'
import { xks } from '../apis/catalogue.ts'
import type { SignedRequest } from '../authentication/canonical-request.ts'
import { acceptsCertificate, xksCallers } from '../authentication/xks-callers.ts'
import { processCount } from '../config/processes.ts'
import type { Config } from '../config.ts'
import { OperatorError } from '../errors.ts'
import { certificatesIn } from '../model/certificates.ts'
import type { AccessKey } from '../model/identities/access-key.ts'
import type { Caller } from '../model/identities/caller.ts'
import { signingService } from '../model/xks/credentials.ts'
import { credentialName, type XksPrefix } from '../model/xks/prefix.ts'
import type { Readiness } from '../readiness.ts'
import type { ClientCertificates } from '../server/client-certificates.ts'
import type { RunningServer } from '../server/listener.ts'
import { versionOf } from '../server/tls.ts'
import { serveXks } from '../server/xks.ts'
import type { ConnectionMetrics, Hsms, Log, PathServices, Storage } from '../services.ts'
import { unsealSecret } from '../vault/access-key-secrets.ts'
import { Quotas } from './quotas.ts'

interface Means {
  readonly storage: Storage
  readonly hsms: Hsms
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  readonly log: Log
}

/** Milliseconds to unseal a credential, once a day: within what KMS waits. */
const unsealTimeout = 150

/** Throws OperatorError if the file of authorities cannot be used. */
export function xksAuthentication(
  config: Config,
  { storage, hsms, clock, log }: Means,
): (request: SignedRequest) => Promise<Caller> {
  const quotas = new Quotas(() => performance.now(), processCount(config))
  return xksCallers({
    prefix: name => storage.xksPrefixes.find(name),
    authorities: commonAuthorities(config.xks, log),
    clock,
    unseal: (credential: AccessKey) => {
      const hurried = hsms.for('xks credentials', performance.now() + unsealTimeout)
      return unsealSecret(credential, { storage, hsms: hurried })
    },
    used({ name, region, quota }, accessKeyId, { sourceAddress }) {
      storage.accessKeys.recordUse({
        accessKeyId: credentialName(name, accessKeyId),
        usedAt: clock(),
        region,
        service: signingService,
        sourceAddress,
      })
      if (quota !== undefined) quotas.take(name, quota)
    },
  })
}

/** Rejects with OperatorError if it cannot listen, or a file cannot be used. */
export function startXks(
  config: NonNullable<Config['xks']>,
  maxConnections: number,
  services: PathServices,
  readiness: () => Promise<Readiness>,
  metrics: ConnectionMetrics,
): Promise<RunningServer> {
  const common = commonAuthorities(config, services.log)
  const clients = clientCertificates(() => services.storage.xksPrefixes.all(), common)
  return serveXks({ ...config.listen, maxConnections }, xks, services, clients, readiness, metrics)
}

/** The authorities of the listener, and of prefixes that have one of their own. */
function clientCertificates(prefixes: () => readonly XksPrefix[], common: () => readonly string[]): ClientCertificates {
  return {
    authorities: () => [
      ...new Set([...common(), ...prefixes().flatMap(({ clientCertificate }) => clientCertificate?.ca ?? [])]),
    ],
    admits: certificate =>
      prefixes().length === 0 || prefixes().some(prefix => acceptsCertificate(prefix, certificate, common)),
  }
}

/** PEM of those that issue the certificates of prefixes without authorities of their own. Throws OperatorError. */
function commonAuthorities(config: Config['xks'], log: Log): () => readonly string[] {
  const file = config?.listen.clientCaFile
  return file === undefined ? () => [] : authoritiesIn(file, log)
}

/** Looks for a new version of the file at each call; one that cannot be used has no effect. Throws OperatorError at first. */
function authoritiesIn(file: string, log: Log): () => readonly string[] {
  let [version, authorities] = [versionOf([file]), readAuthority(file)]
  return () => {
    const now = versionOf([file])
    if (now === version) return [authorities]
    version = now
    try {
      authorities = readAuthority(file)
    } catch (err) {
      log.error({ event: 'tls_reload_failed', err }, 'Client authorities not reloaded, still using the previous ones')
    }
    return [authorities]
  }
}

function readAuthority(file: string): string {
  try {
    const pem = readFileSync(file, 'utf8')
    certificatesIn(pem)
    return pem
  } catch (cause) {
    throw new OperatorError(`xks.listen.clientCaFile: cannot use ${file}: ${(cause as Error).message}`, { cause })
  }
}
