import type { FleetView } from '../storage.ts'

/** Of a gateway whose database no other can have. */
export const alone: Omit<FleetView, 'gateway'> = {
  isAlone: true,
  mayServe: true,
  leaseLeft: Number.POSITIVE_INFINITY,
  applied: 0,
  lag: 0,
  settled: () => undefined,
  members: async () => [],
  remove: async () => {},
}
