/** Targets of the operations on custom key stores: only identity-based policies decide. */
import { Failure } from '../../errors.ts'
import type { ConditionKeys } from '../../model/condition-keys.ts'
import type { Caller } from '../../model/identities/caller.ts'
import {
  type CustomKeyStore,
  checkStoreState,
  claimCodes,
  claimsOf,
  type StoreEvent,
} from '../../model/keys/custom-key-store.ts'
import type { Storage } from '../../services.ts'
import type { Asked, Target, TargetKind } from '../operation.ts'

export interface StoreTarget extends Target {
  /** Available after the check. */
  readonly store: CustomKeyStore
}

export const storeConditionKeys: ConditionKeys<Asked<unknown, Target>> = {
  'kms:CallerAccount': ({ caller }) => caller.account || undefined,
}

interface StoreInput {
  readonly CustomKeyStoreId?: string | undefined
}

/** The custom key store named by CustomKeyStoreId. @param event what the operation does to it, by the input */
export function customKeyStore<I extends StoreInput>(
  event: (input: I) => StoreEvent,
  requestParameters: (input: I) => Readonly<Record<string, unknown>> = () => ({}),
): TargetKind<I, StoreTarget> {
  return {
    find(input, { caller, storage, operation }) {
      const found = findStore(input.CustomKeyStoreId!, caller, storage)
      const target: StoreTarget = {
        permissions: [{ action: operation, resource: '*', account: caller.account }],
        resources: [],
        requestParameters: requestParameters(input),
        ...(found && { additionalEventData: recordedStore(found) }),
        get store() {
          if (found) return found
          throw new Failure('CustomKeyStoreNotFound', `Custom key store ${input.CustomKeyStoreId} is not found.`)
        },
        check() {
          checkStoreState(target.store, event(input))
        },
      }
      return target
    },
  }
}

export function findStore(id: string, { account, region }: Caller, { customKeyStores }: Storage) {
  const found = customKeyStores.find(id)
  return found?.account === account && found.region === region ? found : undefined
}

/** CloudTrail's additionalEventData. */
export function recordedStore({ name, cloudHsm }: CustomKeyStore): Readonly<Record<string, string>> {
  return { customKeyStoreName: name, ...(cloudHsm && { clusterId: cloudHsm.clusterId }) }
}

/** Throws the error of the API if another store has what only one may have. */
export function checkClaims(store: CustomKeyStore, { customKeyStores }: Storage): void {
  for (const claim of claimsOf(store)) {
    const holder = customKeyStores.holding(claim)
    if (holder === undefined || holder.id === store.id) continue
    throw new Failure(claimCodes[claim.kind], claimTexts[claim.kind])
  }
}

/** They do not tell whose store it is. */
const claimTexts = {
  name: 'Another custom key store of this account and region has this name.',
  cluster: 'The cluster is associated with another custom key store.',
  uri: 'The URI of the proxy is associated with another external key store in this region.',
  vpcEndpointService: 'The VPC endpoint service is associated with another external key store in this region.',
} as const satisfies Record<keyof typeof claimCodes, string>
