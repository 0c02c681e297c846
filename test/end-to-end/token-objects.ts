/** Objects on the token of an installation, as seen by another program. */
import { join } from 'node:path'
import type { HsmObject } from '../../src/hsm/hsm.ts'
import { connectHsm } from '../../src/hsm/registry.ts'
import { softHsmLibrary } from '../hsm/softhsm.ts'
import type { Installation } from './gateway.ts'

export async function objectsOn({ folder }: Installation): Promise<readonly HsmObject[]> {
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
  const objects = await hsm.objects()
  await hsm.close()
  return objects
}
