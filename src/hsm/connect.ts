/** From the configuration of an HSM to an HSM. */
import { HsmClient } from './client.ts'
import type { Hsm } from './hsm.ts'
import { Workers, type WorkersOptions } from './workers.ts'

export interface HsmOptions extends WorkersOptions {
  /** Where a public key is used: in the HSM, or outside, for what OpenSSL can do with it. */
  readonly publicKeyOperations: 'hsm' | 'gateway'
}

/** Rejects with an OperatorError of one line when the HSM cannot be used. */
export async function connectHsm({ publicKeyOperations, ...options }: HsmOptions): Promise<Hsm> {
  const workers = new Workers(options)
  await workers.start()
  return new HsmClient(workers, publicKeyOperations)
}
