/** The administration API, in a gateway or without one. */
import type { ApiRequest, ApiResponse } from '../apis/api.ts'
import { administration, uidHeader } from '../apis/catalogue.ts'
import { configOfProcess } from '../config/processes.ts'
import type { Config } from '../config.ts'
import { createLog } from '../log.ts'
import { operator } from '../model/identities/caller.ts'
import { handle } from '../pipeline.ts'
import type { PathServices } from '../services.ts'
import { noMetrics } from '../xks-proxies/xks-proxies.ts'
import { webIdentities } from './authentication.ts'
import { clock, connectHsms, keyStoresOf, openDatabase, requireSystemKeys } from './backends.ts'
import { eventsOf, meteringOf } from './events.ts'
import { externalKeyStores } from './external-key-stores.ts'
import { policing } from './policing.ts'
import { openAudit } from './recording.ts'

/** The same services for a listener whose callers are all operators. */
export function administrationOf(services: PathServices): PathServices {
  return { ...services, authenticate: async ({ headers }) => operator(uidOf(headers)) }
}

/**
 * Answers requests of the administration API in this process, while no gateway runs. Throws OperatorError if one does, or the HSMs cannot be
 * reached.
 */
export async function openAdministration(
  config: Config,
  opened: AsyncDisposableStack,
): Promise<(request: ApiRequest) => Promise<ApiResponse>> {
  const log = createLog('error', () => {}, config.gateway)
  const storage = await openDatabase(config, opened)
  requireSystemKeys(config, storage)
  const hsms = await connectHsms(config, storage, opened)
  const { journal, ...recording } = await openAudit(config, { storage, hsms }, opened, { clock, log })
  const own = configOfProcess(config, 1)
  const events = eventsOf(own, opened, { journal, log })
  const means = { storage, hsms, clock, elapsed: () => performance.now(), metrics: noMetrics, log }
  const proxies = opened.adopt(externalKeyStores(config, means), proxies => proxies.close())
  const services = administrationOf({
    storage,
    hsms,
    keyStores: keyStoresOf(config, hsms, storage, { log }),
    clock,
    ...policing(config, storage),
    maxOnDemandRotations: config.rotation.maxOnDemandRotations,
    emulator: config.emulator,
    ...recording,
    events,
    externalKeyStores: proxies,
    metering: meteringOf(own, events),
    authenticate: async () => undefined,
    webIdentity: webIdentities(config, { storage, clock, log }),
    metrics: { started: () => () => {}, keyUseRefused() {}, settling: () => () => {} },
    log,
  })
  return request => handle(request, administration, services)
}

/** As the client says. */
function uidOf({ [uidHeader]: uid }: ApiRequest['headers']): number | undefined {
  return typeof uid === 'string' && /^\d{1,10}$/.test(uid) ? Number(uid) : undefined
}
