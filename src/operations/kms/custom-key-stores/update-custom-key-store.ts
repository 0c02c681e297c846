import { Failure } from '../../../errors.ts'
import type { CustomKeyStore } from '../../../model/keys/custom-key-store.ts'
import { objectsOf } from '../../../model/keys/key.ts'
import { checkEndpoint, checkMembers, isAdjustment, proxyWith } from '../../../model/keys/key-store-settings.ts'
import { keepPassword } from '../../../vault/key-store-hsms.ts'
import { sealStoreSecret } from '../../../vault/store-secrets.ts'
import { forgetCanary } from '../../../vault/system-keys.ts'
import type { Context } from '../../operation.ts'
import { checkClaims, customKeyStore, type StoreTarget, storeConditionKeys } from '../custom-key-store-targets.ts'
import { type Input, operation } from '../operation.ts'

type Update = Context<Input<'UpdateCustomKeyStore'>, StoreTarget>

export const updateCustomKeyStore = operation('UpdateCustomKeyStore')({
  readOnly: false,
  target: customKeyStore<Input<'UpdateCustomKeyStore'>>(
    input => (isAdjustment(input) ? 'adjust' : 'update'),
    ({ CloudHsmClusterId }) => (CloudHsmClusterId === undefined ? {} : { clusterId: CloudHsmClusterId }),
  ),
  conditionKeys: storeConditionKeys,
  recorded: [
    'CustomKeyStoreId',
    'NewCustomKeyStoreName',
    'XksProxyConnectivity',
    'XksProxyUriEndpoint',
    'XksProxyUriPath',
    'XksProxyVpcEndpointServiceName',
    'XksProxyVpcEndpointServiceOwner',
  ],
  async run(context) {
    const { input, target, changes } = context
    const { CustomKeyStoreId: _id, ...asked } = input
    if (Object.values(asked).every(value => value === undefined))
      throw new Failure('Validation', 'Specify at least one property of the custom key store to change.')
    checkMembers(target.store.type, input)
    const named = { ...target.store, name: input.NewCustomKeyStoreName ?? target.store.name }
    changes.put('customKeyStores', named.xks ? await withProxy(named, context) : await withCluster(named, context))
    return {}
  },
})

async function withCluster(store: CustomKeyStore, context: Update): Promise<CustomKeyStore> {
  const { input, storage } = context
  const { CloudHsmClusterId: clusterId = store.cloudHsm!.clusterId, KeyStorePassword } = input
  const changed = { ...store, cloudHsm: { ...store.cloudHsm!, clusterId } }
  if (input.CloudHsmClusterId !== undefined) checkCluster(changed, clusterId, context)
  checkClaims(changed, storage)
  if (clusterId !== store.cloudHsm!.clusterId) leaveCluster(store, context)
  if (KeyStorePassword === undefined) return changed
  return { ...changed, cloudHsm: { ...changed.cloudHsm, ...(await keepPassword(store, KeyStorePassword, context)) } }
}

/** A store without keys on its cluster starts anew with another one. */
function leaveCluster({ cloudHsm }: CustomKeyStore, { changes, keyStores, storage }: Update): void {
  const hsm = keyStores.hsmOf(cloudHsm!.clusterId)
  if (hsm !== undefined) forgetCanary(changes, hsm, storage)
}

/** Keys are found by the name of their HSM. That the cluster holds them is proved when the store is connected. */
function checkCluster({ id }: CustomKeyStore, clusterId: string, { keyStores, storage }: Update): void {
  const hsm = keyStores.hsmOf(clusterId)
  if (hsm === undefined)
    throw new Failure('CloudHsmClusterNotFound', `No HSM of this gateway has the cluster ID ${clusterId}.`)
  const isElsewhere = storage.keys.inStore(id).some(key => objectsOf(key).some(object => object.hsm !== hsm))
  if (!isElsewhere) return
  const text = `The cluster ${clusterId} is another HSM than the one that holds the keys of custom key store ${id}.`
  throw new Failure('CloudHsmClusterNotRelated', text)
}

async function withProxy(store: CustomKeyStore, context: Update): Promise<CustomKeyStore> {
  const { input, storage, hsms, externalKeys } = context
  const { CustomKeyStoreId: _id, NewCustomKeyStoreName: _name, ...settings } = input
  const renamed = { ...store, xks: { ...proxyWith(store.xks, input), sealedSecret: store.xks!.sealedSecret } }
  checkClaims(renamed, storage)
  if (Object.values(settings).every(value => value === undefined)) return renamed
  checkEndpoint(renamed, storage.customKeyStores.all())
  const secret = input.XksProxyAuthenticationCredential?.RawSecretAccessKey
  const sealedSecret =
    secret === undefined ? renamed.xks.sealedSecret : await sealStoreSecret(store, secret, { storage, hsms })
  const changed = { ...renamed, xks: { ...renamed.xks, sealedSecret } }
  await externalKeys.checkStore(changed)
  return changed
}
