/** A token for a custom key store of type AWS_CLOUDHSM, beside that of an installation. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ConnectionStateType, CustomKeyStoresListEntry, KMS } from '@aws-sdk/client-kms'
import { FaultHsm } from '../fault-hsm/fault-hsm.ts'
import { createSoftHsm, type SoftHsm } from '../hsm/softhsm.ts'
import { makeCertificate } from '../server/certificates.ts'
import type { Installation } from './gateway.ts'

export const clusterId = 'cluster-2345abcdefg'
/** Of an HSM without a token. */
export const spareId = 'cluster-77777777777'

export interface StoreToken {
  readonly softHsm: SoftHsm
  readonly faults: FaultHsm
  /** Its PIN. */
  readonly password: string
  /** Input of CreateCustomKeyStore. */
  readonly settings: {
    readonly CustomKeyStoreName: string
    readonly CloudHsmClusterId: string
    readonly TrustAnchorCertificate: string
    readonly KeyStorePassword: string
  }
}

/** Adds the HSM, behind the fault-injecting library, to the configuration; takes effect when the gateway starts. */
export async function installStoreToken({ configure }: Installation, settings: object = {}): Promise<StoreToken> {
  const softHsm = await createSoftHsm()
  const faults = new FaultHsm(softHsm.directory)
  const { tokenLabel, environment } = softHsm.options
  configure(config => {
    const { NODE_COMPILE_CACHE = '' } = config.hsms.softhsm!.environment
    const hsm = {
      profile: 'softhsm2',
      library: faults.library,
      token: { label: tokenLabel! },
      clusterId,
      workers: 1,
      environment: { ...environment, ...faults.environment(), NODE_COMPILE_CACHE },
    }
    config.hsms.store = hsm as never
    config.hsms.spare = { ...hsm, clusterId: spareId, token: { label: 'missing' } } as never
    config.customKeyStores = settings
  })
  const certificateFile = join(softHsm.directory, 'customerCA.crt')
  makeCertificate({ certificateFile, keyFile: join(softHsm.directory, 'customerCA.key') })
  const password = readFileSync(softHsm.pinFile, 'utf8').trim()
  return {
    softHsm,
    faults,
    password,
    settings: {
      CustomKeyStoreName: 'store',
      CloudHsmClusterId: clusterId,
      TrustAnchorCertificate: readFileSync(certificateFile, 'utf8'),
      KeyStorePassword: password,
    },
  }
}

/** Resolves once the work of connecting or disconnecting has ended. */
export async function settled(kms: KMS, CustomKeyStoreId: string): Promise<CustomKeyStoresListEntry> {
  const passing: readonly (ConnectionStateType | undefined)[] = ['CONNECTING', 'DISCONNECTING']
  for (;;) {
    const { CustomKeyStores } = await kms.describeCustomKeyStores({ CustomKeyStoreId })
    if (!passing.includes(CustomKeyStores![0]!.ConnectionState)) return CustomKeyStores![0]!
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

export async function connected(kms: KMS, CustomKeyStoreId: string): Promise<CustomKeyStoresListEntry> {
  await kms.connectCustomKeyStore({ CustomKeyStoreId })
  return settled(kms, CustomKeyStoreId)
}

export async function disconnected(kms: KMS, CustomKeyStoreId: string): Promise<CustomKeyStoresListEntry> {
  await kms.disconnectCustomKeyStore({ CustomKeyStoreId })
  return settled(kms, CustomKeyStoreId)
}
