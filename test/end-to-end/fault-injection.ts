/** An installation with a fault-injecting HSM library: see test/fault-hsm. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { FaultHsm } from '../fault-hsm/fault-hsm.ts'
import type { Installation } from './gateway.ts'

/** Wraps SoftHSM's library in the fault-injecting one; takes effect when the gateway starts. */
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
