/** Storage and HSMs, as a gateway and the commands open them. */
import { auditHsmOf, type Config, type HsmConfig, type MemberConfig } from '../config.ts'
import { OperatorError } from '../errors.ts'
import type { HsmCall } from '../hsm/hsm.ts'
import { type HsmOptions, HsmRegistry } from '../hsm/registry.ts'
import { objectOf } from '../model/keys/key.ts'
import type { Hsms, Log, Storage } from '../services.ts'
import { openStorage } from '../storage/sql-storage.ts'
import { openInThread } from '../storage/threaded-database.ts'
import { auditKey } from '../vault/audit-key.ts'
import { missingSystemKeys } from '../vault/system-keys.ts'

/** The wall clock of the machine, in milliseconds since the epoch. */
export const clock = () => Date.now()

export interface Backends {
  readonly hsms: Hsms
  readonly storage: Storage
}

/**
 * @param create whether storage may be missing yet
 * @param now milliseconds since the epoch
 */
export async function openDatabase(
  config: Config,
  opened: AsyncDisposableStack,
  { create = false, now = clock() } = {},
): Promise<Storage> {
  const database = await openInThread({ path: config.storage.file, create })
  const acceptsUnknown = config.emulator !== undefined
  return opened.adopt(await openStorage(database, { now, acceptsUnknown }), storage => storage.close())
}

/** Connects to every HSM. */
export async function connectHsms(
  config: Config,
  storage: Storage,
  opened: AsyncDisposableStack,
  { observe, log }: { observe?: (call: HsmCall) => void; log?: Log | undefined } = {},
): Promise<Hsms> {
  const registry = opened.adopt(new HsmRegistry(config.regions), registry => registry.close())
  const connecting = Object.entries(config.hsms).map(([name, hsm]) => {
    const canary = () => {
      const canary = storage.systemKeys.find(name, 'canary')?.material.object
      return canary && { object: canary.id, checkValue: canary.checkValue }
    }
    return registry.connect({ ...hsmOptions(name, hsm), canary, observe, log })
  })
  const connected = await Promise.allSettled(connecting)
  const failed = connected.find(({ status }) => status === 'rejected')
  if (failed) throw (failed as PromiseRejectedResult).reason
  return registry
}

/** Throws OperatorError if storage lacks a key that `init` creates: it is not the storage of these HSMs. */
export function requireSystemKeys(config: Config, storage: Storage): void {
  const {
    storage: { file },
    hsms,
  } = config
  for (const hsm of Object.keys(hsms)) {
    const [missing] = missingSystemKeys(hsm, storage)
    if (missing === undefined) continue
    throw new OperatorError(
      `storage ${file} has no ${missing} key for the HSM ${hsm}: if that HSM is new, run strongroom init`,
    )
  }
  if (isAuditKeyMissing(config, storage))
    throw new OperatorError(
      `storage ${file} has no audit key on the HSM ${auditHsmOf(config)}: run strongroom init, which creates it`,
    )
}

/** Whether the key that signs the audit journal is not on the HSM of the configuration, or there is none yet. */
export function isAuditKeyMissing(config: Config, storage: Storage): boolean {
  const key = auditKey(Object.keys(config.hsms), storage)
  return key === undefined || objectOf(key.material).hsm !== auditHsmOf(config)
}

export function hsmOptions(name: string, { members, ...hsm }: HsmConfig): HsmOptions {
  const own = members && Object.entries(members).map(([member, options]) => [member, addressed(options)] as const)
  return { name, ...addressed(hsm), members: own && Object.fromEntries(own) }
}

function addressed<T extends Pick<MemberConfig, 'token'>>({ token, ...options }: T) {
  return { ...options, ...(token && { tokenLabel: token.label, tokenSerial: token.serial }) }
}
