import type { HealthResponse, HealthStatus } from '../../model/xks/messages.ts'
import type { Hsm, HsmStatus } from '../../services.ts'
import type { Vault } from '../../vault/ciphertexts.ts'
import { checkCanary } from '../../vault/system-keys.ts'
import { type HealthInput, operation } from './operation.ts'
import { type PrefixTarget, prefixTarget } from './targets.ts'

/** Encrypts and decrypts with the canary key of the HSM in each call: KMS asks every few minutes. */
export const getHealthStatus = operation<HealthInput, HealthResponse, PrefixTarget>({
  name: 'GetHealthStatus',
  target: prefixTarget,
  async run({ target: { prefix }, storage, hsms }) {
    return {
      xksProxyFleetSize: 1,
      xksProxyVendor: 'Strongroom',
      xksProxyModel: 'Strongroom',
      ekmVendor: 'PKCS#11',
      ekmFleetDetails: await tokensOf(hsms.ofRegion(prefix.region), { storage, hsms }),
    }
  },
})

const mostTokens = 10

type Token = HealthResponse['ekmFleetDetails'][number]

/** Of a cluster each token, by what is known of it; what the canary says is of all of them. */
async function tokensOf({ name, health }: Hsm, vault: Vault): Promise<Token[]> {
  const works = await checkCanary(name, vault).then(
    () => true,
    () => false,
  )
  const tokens = health.members ?? [{ name, state: health.state }]
  return tokens.slice(0, mostTokens).map(({ name, state }) => token(name, works ? statuses[state] : 'UNAVAILABLE'))
}

const statuses: Readonly<Record<HsmStatus['health']['state'], HealthStatus>> = {
  ready: 'ACTIVE',
  unavailable: 'UNAVAILABLE',
  untrusted: 'UNAVAILABLE',
  pinRefused: 'UNAVAILABLE',
}

function token(id: string, healthStatus: HealthStatus): Token {
  return { id, model: 'PKCS#11 token', healthStatus }
}
