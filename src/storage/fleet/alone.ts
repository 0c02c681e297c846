import type { FleetView } from '../storage.ts'

/** Of a gateway whose database no other can have. */
export const alone: Omit<FleetView, 'gateway' | 'applied'> = {
  isAlone: true,
  mayServe: true,
  leaseLeft: Number.POSITIVE_INFINITY,
  lag: 0,
  settled: () => undefined,
  members: async () => [],
  remove: async () => true,
  prune: async () => {},
}
