import { randomBytes } from 'node:crypto'
import { Failure } from '../../../errors.ts'
import type { CustomKeyStore } from '../../../model/keys/custom-key-store.ts'
import { checkEndpoint, checkNewStore, checkTrustAnchor, proxyWith } from '../../../model/keys/key-store-settings.ts'
import { keepPassword } from '../../../vault/key-store-hsms.ts'
import { sealStoreSecret } from '../../../vault/store-secrets.ts'
import type { Context, Target, TargetKind } from '../../operation.ts'
import { checkClaims, storeConditionKeys } from '../custom-key-store-targets.ts'
import { type Input, operation } from '../operation.ts'
import { account } from '../targets.ts'

/** KMS Developer Guide, "Resource quotas": of an account in a region. */
const maximumStores = 10

type Creation = Context<Input<'CreateCustomKeyStore'>, Target>

/** CloudTrail names the cluster `clusterId`. */
const target: TargetKind<Input<'CreateCustomKeyStore'>, Target> = {
  find(input, search) {
    const clusterId = input.CloudHsmClusterId
    const found = account<typeof input>().find(input, search) as Target
    return { ...found, requestParameters: clusterId === undefined ? {} : { clusterId } }
  },
}

/** The store is not connected yet. */
export const createCustomKeyStore = operation('CreateCustomKeyStore')({
  readOnly: false,
  target,
  conditionKeys: storeConditionKeys,
  recorded: [
    'CustomKeyStoreName',
    'CustomKeyStoreType',
    'XksProxyConnectivity',
    'XksProxyUriEndpoint',
    'XksProxyUriPath',
    'XksProxyVpcEndpointServiceName',
    'XksProxyVpcEndpointServiceOwner',
  ],
  recordedOutput: ['CustomKeyStoreId'],
  async run(context) {
    const { input, caller, storage, changes, clock } = context
    const { CustomKeyStoreType: type = 'AWS_CLOUDHSM' } = input
    checkNewStore(type, input)
    const { account, region } = caller
    const draft: CustomKeyStore = {
      id: `cks-${randomBytes(9).toString('hex').slice(1)}`,
      account,
      region,
      name: input.CustomKeyStoreName!,
      type,
      creationDate: clock(),
      state: 'DISCONNECTED',
      revision: 0,
    }
    if (storage.customKeyStores.ofRegion(account, region).length >= maximumStores) {
      const text = `An account can have ${maximumStores} custom key stores in a region at most.`
      throw new Failure('LimitExceeded', text)
    }
    const store = type === 'AWS_CLOUDHSM' ? await withCluster(draft, context) : await withProxy(draft, context)
    changes.put('customKeyStores', store)
    return { CustomKeyStoreId: store.id }
  },
})

async function withCluster(draft: CustomKeyStore, context: Creation): Promise<CustomKeyStore> {
  const { input, keyStores, storage } = context
  const [clusterId, certificate] = [input.CloudHsmClusterId!, input.TrustAnchorCertificate!]
  if (keyStores.hsmOf(clusterId) === undefined)
    throw new Failure('CloudHsmClusterNotFound', `No HSM of this gateway has the cluster ID ${clusterId}.`)
  const cloudHsm = { clusterId, trustAnchorCertificate: certificate }
  checkClaims({ ...draft, cloudHsm }, storage)
  checkTrustAnchor(certificate)
  return { ...draft, cloudHsm: { ...cloudHsm, ...(await keepPassword(draft, input.KeyStorePassword!, context)) } }
}

async function withProxy(draft: CustomKeyStore, context: Creation): Promise<CustomKeyStore> {
  const { input, storage, hsms, externalKeys } = context
  const proxy = proxyWith(undefined, input)
  const unsealed = { ...draft, xks: { ...proxy, sealedSecret: new Uint8Array() } }
  checkClaims(unsealed, storage)
  checkEndpoint(unsealed, storage.customKeyStores.all())
  const { RawSecretAccessKey } = input.XksProxyAuthenticationCredential!
  const sealedSecret = await sealStoreSecret(draft, RawSecretAccessKey!, { storage, hsms })
  const store = { ...draft, xks: { ...proxy, sealedSecret } }
  await externalKeys.checkStore(store)
  return store
}
