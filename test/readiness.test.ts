import { describe, expect, it } from 'vitest'
import { createReadiness } from '../src/readiness.ts'
import type { Hsms, Storage } from '../src/services.ts'

/** @param fleet of the gateway's storage, whose check fails if `isAway` */
function probe(fleet: { isAlone: boolean; mayServe: boolean }, { isAway }: { isAway: boolean }) {
  const check = () => (isAway ? Promise.reject(new Error('away')) : Promise.resolve())
  const probed = { storage: { check, fleet } as unknown as Storage, audit: { check: async () => {} } }
  return createReadiness({ ...probed, hsms: { regional: [] } as unknown as Hsms }, () => 0).probe()
}

describe('readiness', () => {
  it.each([
    // While other gateways exist, the lease says how long this one may serve without the database.
    { isAlone: false, mayServe: true, isAway: false, ready: true },
    { isAlone: false, mayServe: true, isAway: true, ready: true },
    { isAlone: false, mayServe: false, isAway: true, ready: false },
    { isAlone: false, mayServe: false, isAway: false, ready: false },
    { isAlone: true, mayServe: true, isAway: false, ready: true },
    { isAlone: true, mayServe: true, isAway: true, ready: false },
  ])(
    'is $ready with isAlone $isAlone, mayServe $mayServe, database away $isAway',
    async ({ ready, isAway, ...fleet }) => {
      const found = await probe(fleet, { isAway })
      expect(found.ready).toBe(ready)
      expect(found.parts.storage).toBe(isAway ? 'failing' : 'ok')
      expect(found.parts.lease).toBe(fleet.isAlone ? undefined : fleet.mayServe ? 'ok' : 'failing')
    },
  )
})
