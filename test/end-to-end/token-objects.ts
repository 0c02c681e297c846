/** Objects on the token of an installation, as seen by another program. */
import { join } from 'node:path'
import type { Hsm, HsmObject } from '../../src/hsm/hsm.ts'
import { connectHsm } from '../../src/hsm/registry.ts'
import { softHsmLibrary } from '../hsm/softhsm.ts'
import type { Installation } from './gateway.ts'

export function objectsOn(installation: Pick<Installation, 'folder'>): Promise<readonly HsmObject[]> {
  return connected(installation, hsm => hsm.objects())
}

/** @param id CKA_ID */
export function destroyOn(installation: Installation, id: string): Promise<void> {
  return connected(installation, hsm => hsm.destroyKey(id))
}

async function connected<T>({ folder }: Pick<Installation, 'folder'>, work: (hsm: Hsm) => Promise<T>): Promise<T> {
  const hsm = await connectHsm({
    name: 'softhsm',
    profile: 'softhsm2',
    library: softHsmLibrary,
    tokenLabel: 'strongroom',
    pinFile: join(folder, 'pin'),
    environment: { SOFTHSM2_CONF: join(folder, 'softhsm2.conf') },
    workers: 1,
    maxQueuedCalls: 1,
    callTimeout: 5000,
    publicKeyOperations: 'hsm',
    allowSoftwareFallback: true,
    strictCustody: false,
  })
  try {
    return await work(hsm)
  } finally {
    await hsm.close()
  }
}
