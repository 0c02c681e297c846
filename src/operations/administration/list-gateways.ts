import { z } from 'zod'
import { operation } from './operation.ts'

/** What a gateway says of itself when it renews its lease: all are absent of one of another version that does not say them. */
export interface GatewayState {
  readonly version?: string
  readonly host?: string
  /** Of each HSM by name: its state, such as `ready` or `unavailable`. */
  readonly hsms?: Readonly<Record<string, string>>
}

export interface ShownGateway extends GatewayState {
  readonly gateway: string
  /** Whether it answers this request. */
  readonly isThis: boolean
  /** When this run of it started: milliseconds since the epoch. */
  readonly since: number
  /** Changes that it does not show yet. */
  readonly changesBehind: number
  /** Milliseconds since the first of them. */
  readonly behindFor: number
  /** Without one it serves nothing. */
  readonly holdsLease: boolean
  /** Milliseconds, by the clock of the database; 0 without a lease. */
  readonly leaseLeft: number
  /** Whether the jobs of the fleet run there. */
  readonly runsJobs: boolean
}

/** The gateways of the fleet, in order of name; none if this one is alone. */
export const listGateways = operation({
  name: 'ListGateways',
  readOnly: true,
  schema: z.strictObject({}),
  recorded: [],
  async run({ storage }): Promise<{ readonly gateways: readonly ShownGateway[] }> {
    const members = await storage.fleet.members()
    return {
      gateways: members.map(
        ({ gateway, joinedAt: since, changesBehind, behindFor, holdsLease, leaseLeft, runsJobs, state }) => ({
          ...(JSON.parse(state) as GatewayState),
          gateway,
          isThis: gateway === storage.fleet.gateway,
          since,
          changesBehind,
          behindFor,
          holdsLease,
          leaseLeft,
          runsJobs,
        }),
      ),
    }
  },
})
