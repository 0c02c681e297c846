import type { KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, type Installation, install, serve } from './gateway.ts'
import { clusterId, connected, disconnected, installStoreToken, type StoreToken } from './key-stores.ts'
import { refusal } from './requests.ts'

let installation: Installation
let token: StoreToken
let gateway: Gateway
let kms: KMS
let CustomKeyStoreId: string

beforeAll(async () => {
  installation = await install()
  token = await installStoreToken(installation)
  gateway = await serve(installation)
  kms = gateway.client()
  const created = await kms.createCustomKeyStore(token.settings)
  CustomKeyStoreId = created.CustomKeyStoreId!
})
afterAll(async () => {
  await gateway?.stop()
  installation?.remove()
  token?.softHsm.remove()
})

const described = async () => (await kms.describeCustomKeyStores({ CustomKeyStoreId })).CustomKeyStores![0]!

describe('a custom key store of type AWS_CLOUDHSM', () => {
  it('is described as it was created, without its password', async () => {
    const { CustomKeyStoreName, TrustAnchorCertificate } = token.settings
    expect(CustomKeyStoreId).toMatch(/^cks-[0-9a-f]{17}$/)
    expect(await described()).toEqual({
      CustomKeyStoreId,
      CustomKeyStoreName,
      CustomKeyStoreType: 'AWS_CLOUDHSM',
      ConnectionState: 'DISCONNECTED',
      CloudHsmClusterId: clusterId,
      TrustAnchorCertificate,
      CreationDate: expect.any(Date),
    })
  })

  it('is connected, and disconnected', async () => {
    expect(await connected(kms, CustomKeyStoreId)).toMatchObject({ ConnectionState: 'CONNECTED' })
    expect(await refusal(kms.connectCustomKeyStore({ CustomKeyStoreId }))).toBe('no refusal')
    expect(await disconnected(kms, CustomKeyStoreId)).toMatchObject({ ConnectionState: 'DISCONNECTED' })
    expect(gateway.warnings()).toEqual([])
  })
})
