import type { CustomKeyStoresListEntry } from '@aws-sdk/client-kms'
import { Failure } from '../../../errors.ts'
import type { CustomKeyStore } from '../../../model/keys/custom-key-store.ts'
import { storeConditionKeys } from '../custom-key-store-targets.ts'
import { type Input, operation } from '../operation.ts'
import { page, scopeOf } from '../pages.ts'
import { account } from '../targets.ts'

export const describeCustomKeyStores = operation('DescribeCustomKeyStores')({
  readOnly: true,
  target: account(),
  conditionKeys: storeConditionKeys,
  recorded: ['CustomKeyStoreId', 'CustomKeyStoreName', 'Limit', 'Marker'],
  async run({ input, caller, storage }) {
    const stores = chosen(input, storage.customKeyStores.ofRegion(caller.account, caller.region))
    const { records, ...rest } = await page<CustomKeyStore>(
      input,
      { ordinary: 100, maximum: 1000 },
      scopeOf('DescribeCustomKeyStores', caller),
      ({ id }) => id,
      (after = '', limit) => stores.filter(({ id }) => id > after).slice(0, limit),
    )
    return { CustomKeyStores: records.map(entryOf), ...rest }
  },
})

function chosen(
  { CustomKeyStoreId, CustomKeyStoreName }: Input<'DescribeCustomKeyStores'>,
  stores: readonly CustomKeyStore[],
): readonly CustomKeyStore[] {
  if (CustomKeyStoreId !== undefined && CustomKeyStoreName !== undefined) {
    const text = 'You can specify either CustomKeyStoreId or CustomKeyStoreName, but not both.'
    throw new Failure('Validation', text)
  }
  const asked = CustomKeyStoreId ?? CustomKeyStoreName
  if (asked === undefined) return stores
  const found = stores.filter(({ id, name }) => (CustomKeyStoreId === undefined ? name : id) === asked)
  if (found.length === 0) throw new Failure('CustomKeyStoreNotFound', `Custom key store ${asked} is not found.`)
  return found
}

/** Without secrets. */
function entryOf({ cloudHsm, xks, ...store }: CustomKeyStore): CustomKeyStoresListEntry {
  return {
    CustomKeyStoreId: store.id,
    CustomKeyStoreName: store.name,
    CustomKeyStoreType: store.type,
    ConnectionState: store.state,
    ConnectionErrorCode: store.connectionErrorCode,
    CreationDate: new Date(store.creationDate),
    CloudHsmClusterId: cloudHsm?.clusterId,
    TrustAnchorCertificate: cloudHsm?.trustAnchorCertificate,
    XksProxyConfiguration: xks && {
      Connectivity: xks.connectivity,
      AccessKeyId: xks.accessKeyId,
      UriEndpoint: xks.uriEndpoint,
      UriPath: xks.uriPath,
      VpcEndpointServiceName: xks.vpcEndpointServiceName,
      VpcEndpointServiceOwner: xks.vpcEndpointServiceOwner,
    },
  }
}
