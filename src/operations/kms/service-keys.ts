import { randomUUID } from 'node:crypto'
import { aliasArn, aliasName, type KeyIdentifier } from '../../model/arn.ts'
import {
  isPredefinedAlias,
  type NewServiceKey,
  newServiceKey,
  predefinedAlias,
  servicesOfAws,
} from '../../model/keys/service-keys.ts'
import type { Storage } from '../../services.ts'
import type { Search } from '../operation.ts'

/** AWS managed and AWS owned keys, which are created when their predefined alias is first used. */

type Asking = Omit<Search, 'hsms'>

/**
 * The key that a predefined alias without one stands for, if it may be created for the caller now: by or through its service, or by
 * DescribeKey, as documented. KMS API Reference, "DescribeKey": KeyId.
 */
export function neededServiceKey(
  { arn, account }: Pick<KeyIdentifier, 'arn' | 'account'>,
  search: Asking,
): NewServiceKey | undefined {
  const alias = aliasName(arn)
  if (!search.serviceKeys || !isPredefinedAlias(alias)) return undefined
  const service = servicesFor(account, search).find(service => predefinedAlias(service) === alias)
  if (service === undefined) return undefined
  const { caller, storage } = search
  const owned = account === ''
  const place = {
    service,
    owned,
    account: owned ? ownAccount(service, storage) : account,
    region: caller.region,
    direct: search.serviceKeys.forAnyCaller,
  }
  return newServiceKey(randomUUID(), alias, place)
}

/**
 * The services whose keys may be created for the caller.
 *
 * @param account of the alias; empty if a service names its own
 */
function servicesFor(account: string, { caller, storage, operation, serviceKeys }: Asking): readonly string[] {
  if (caller.type === 'service')
    return account === caller.account || caller.accounts.includes(account) ? [caller.service] : []
  if (account !== caller.account) return []
  if (caller.via) return [caller.via.service]
  if (serviceKeys?.forAnyCaller) return [...servicesIn(account, storage), ...servicesOfAws]
  return operation === 'DescribeKey' ? servicesIn(account, storage) : []
}

/**
 * Those of the services that may act in the caller's account, and have no key yet. In emulator mode there are none, as in other emulators:
 * tests count aliases.
 */
export function predefinedAliases({
  caller: { account, region },
  storage,
  serviceKeys,
}: Pick<Search, 'caller' | 'storage' | 'serviceKeys'>): readonly string[] {
  if (!serviceKeys || serviceKeys.forAnyCaller) return []
  return servicesIn(account, storage).flatMap(service => {
    const name = predefinedAlias(service)
    return name === undefined || storage.aliases.find(aliasArn({ account, region }, name)) ? [] : [name]
  })
}

/** The services that may act in an account. */
function servicesIn(account: string, { services }: Storage): readonly string[] {
  return services.all().flatMap(({ name, accounts }) => (accounts.includes(account) ? [name] : []))
}

/** That of the user whose access keys are the service's. */
function ownAccount(service: string, { services, principals }: Storage): string {
  return principals.find(services.find(service)!.userArn)!.account
}
