/** From the configuration of an HSM to an HSM. */
import { HsmClient } from './client.ts'
import type { Hsm } from './hsm.ts'
import { Cluster, ivLengthOf } from './pool/cluster.ts'
import { Dispatcher } from './pool/dispatcher.ts'
import type { PoolOptions } from './pool/pool-options.ts'
import type { TokenAddress } from './token/connection.ts'

/** What one of several tokens with the same keys has to itself; the rest is that of the HSM. */
export type MemberOptions = Partial<TokenAddress & Pick<PoolOptions, 'pinFile' | 'pinVariable' | 'environment'>>

export interface HsmOptions extends PoolOptions {
  /** Where a public key is used: in the HSM, or outside, for what OpenSSL can do with it. */
  readonly publicKeyOperations: 'hsm' | 'gateway'
  /** Tokens that hold the same keys, by a name for the log and the metrics: one HSM to all who use it. */
  readonly members?: Readonly<Record<string, MemberOptions>> | undefined
}

/** Rejects with an OperatorError of one line when the HSM cannot be used. */
export async function connectHsm({ publicKeyOperations, members, ...options }: HsmOptions): Promise<Hsm> {
  const backend =
    members === undefined
      ? new Dispatcher(options)
      : new Cluster(options.name, tokens(options, members), options.callTimeout)
  try {
    await backend.start()
  } catch (error) {
    await backend.close()
    throw error
  }
  const verifies = publicKeyOperations === 'gateway'
  // Without the fallback the HSM may be unable to decrypt what the gateway encrypted: only the worker knows.
  return new HsmClient(backend, { verifies, encrypts: verifies && options.allowSoftwareFallback })
}

/** Before there is a canary key, no token can prove that it holds the keys of the others: only the first is used. */
function tokens(options: PoolOptions, members: Readonly<Record<string, MemberOptions>>): readonly Dispatcher[] {
  const all = Object.entries(members)
  const used = options.canary?.() === undefined ? all.slice(0, 1) : all
  const tokens: readonly Dispatcher[] = used.map(([member, own]) => {
    return new Dispatcher({ ...options, ...own, name: `${options.name}/${member}`, ivLength: () => ivLengthOf(tokens) })
  })
  return tokens
}
