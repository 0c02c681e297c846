/** An installation whose HSM misbehaves on command: see test/fault-hsm. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { FaultHsm } from '../fault-hsm/fault-hsm.ts'
import type { Installation } from './gateway.ts'

/** Puts the misbehaving library before SoftHSM's; takes effect when the gateway starts. */
export function installFaults({ folder, configure }: Installation): FaultHsm {
  const faultFolder = join(folder, 'faults')
  mkdirSync(faultFolder)
  const faults = new FaultHsm(faultFolder)
  configure(({ hsms }) => {
    hsms.softhsm!.library = faults.library
    Object.assign(hsms.softhsm!.environment, faults.environment())
  })
  return faults
}
