/** Authentication over storage and HSMs, in the mode of the configuration. */
import { apis, xks } from '../apis/catalogue.ts'
import { callerFinder } from '../authentication/callers.ts'
import type { SignedRequest } from '../authentication/canonical-request.ts'
import { emulating, withEmulatedUsers } from '../authentication/emulator.ts'
import { isSigned, SigV4 } from '../authentication/sigv4.ts'
import { sourceNetwork } from '../authentication/source-network.ts'
import type { Config } from '../config.ts'
import { partitionOf } from '../model/arn.ts'
import type { AccessKey } from '../model/identities/access-key.ts'
import type { OidcProvider } from '../model/identities/oidc-provider.ts'
import type { Hsms, Log, PathServices, Storage } from '../services.ts'
import { unsealSecret } from '../vault/access-key-secrets.ts'
import { unsealSession } from '../vault/session-tokens.ts'
import { xksAuthentication } from './xks.ts'

interface Means {
  readonly storage: Storage
  readonly hsms: Hsms
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  readonly log: Log
}

export function authentication(config: Config, means: Means): PathServices['authenticate'] {
  const { storage, hsms, clock } = means
  const options = {
    maxClockSkew: config.authentication.maxClockSkew,
    clock,
    accessKey: (id: string) => activeAccessKey(id, storage),
    unseal: (accessKey: AccessKey) => unsealSecret(accessKey, { storage, hsms }),
    // Whoever sends a token is not known before it is unsealed: each network has its own place in the queue of an HSM.
    unsealSession: (token: string, accessKeyId: string, sourceAddress: string) =>
      unsealSession(token, accessKeyId, {
        storage,
        hsms: hsms.for(`session tokens of ${sourceNetwork(sourceAddress)}`),
      }),
  }
  const regions = Object.keys(config.regions)
  const principals = config.emulator ? withEmulatedUsers(storage.principals) : storage.principals
  const identities = { principals, services: storage.services, version: () => storage.identitiesVersion }
  const sessionOf = async (token: string, accessKeyId: string, service: string) => {
    const unsealed = await unsealSession(token, accessKeyId, { storage, hsms: hsms.for(service) })
    unsealed?.secret.fill(0)
    return unsealed?.session
  }
  const callerOf = callerFinder(identities, { clock, services: config.authentication.services, sessionOf })
  const finders = new Map(
    apis.map(({ service, globalRegion = regions[0]! }) => {
      const ofService = { ...options, service, regions: new Set([...regions, globalRegion]) }
      const sigV4 = new SigV4(ofService)
      const stored = (request: SignedRequest) =>
        sigV4.verify(request).then(signer => {
          const { credentials, region } = signer
          const { sourceAddress } = request
          // Whether the request is allowed or not: IAM User Guide, "Get last used information". Sessions have none.
          if (!('expiresAt' in credentials))
            storage.accessKeys.recordUse({
              accessKeyId: credentials.id,
              usedAt: clock(),
              region,
              service,
              sourceAddress,
            })
          return callerOf(signer, request.headers)
        })
      const isStored = (id: string) => storage.accessKeys.find(id) !== undefined
      const { policiesOf } = principals
      return [
        service,
        config.emulator ? emulating({ stored, isStored, policiesOf }, config.emulator, ofService) : stored,
      ]
    }),
  )
  finders.set(xks.service, xksAuthentication(config, means))
  const unsigned = Promise.resolve(undefined)
  const allAreSigned = config.emulator?.verify ?? true
  return (request, { service, hasUnsignedOperations = false }) => {
    if (hasUnsignedOperations && allAreSigned && !isSigned(request)) return unsigned
    return finders.get(service)!(request)
  }
}

/** Milliseconds: a caller waits for its token to be verified. */
const keySetTimeout = 5000

/** Calls without a signature are for the global endpoint, or in other partitions for the first region that is served. */
function regionOfPartition(regions: readonly string[]): (partition: string) => string {
  return partition =>
    (partition === 'aws' ? undefined : regions.find(name => partitionOf(name) === partition)) ?? 'us-east-1'
}

type WebIdentities = PathServices['webIdentity']
type WebIdentityMeans = Pick<Means, 'storage' | 'clock'> & { readonly log: Log }

/** Loaded when the first token comes: most gateways never get one, and start faster. */
export function webIdentities(config: Config, means: WebIdentityMeans): WebIdentities {
  let loaded: Promise<WebIdentities> | undefined
  return async (token, place) => {
    loaded ??= loadWebIdentities(config, means)
    return (await loaded)(token, place)
  }
}

async function loadWebIdentities(config: Config, { storage, clock, log }: WebIdentityMeans): Promise<WebIdentities> {
  const { KeySets } = await import('../authentication/web-identity/key-sets.ts')
  const { webIdentity } = await import('../authentication/web-identity/web-identities.ts')
  const failed = ({ arn }: OidcProvider, err: unknown) =>
    log.warn({ event: 'identity_provider_failed', provider: arn, err }, 'Cannot read keys of identity provider')
  const options = {
    providersOf: (account: string) => storage.oidcProviders.ofAccount(account),
    keySets: new KeySets({ clock, timeout: keySetTimeout, failed }),
    clock,
    regionOf: regionOfPartition(Object.keys(config.regions)),
  }
  return (token, place) => webIdentity(token, place, options)
}

/** An inactive one is as unknown. */
function activeAccessKey(id: string, { accessKeys }: Storage): AccessKey | undefined {
  const accessKey = accessKeys.find(id)
  return accessKey?.status === 'Active' ? accessKey : undefined
}
