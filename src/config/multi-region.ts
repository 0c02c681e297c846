/** Multi-Region keys on different HSMs: between which of them key material may be transferred. */
import { z } from 'zod'

export const multiRegion = z.strictObject({
  transfers: z.array(z.strictObject({ from: z.string(), to: z.string() })).default([]),
})

export type Transfers = z.infer<typeof multiRegion>['transfers']

/** What is wrong with them; undefined if nothing is. @param hsms of the configuration, by name */
export function mistakeInTransfers(
  transfers: Transfers,
  hsms: Readonly<Record<string, { readonly strictCustody: boolean; readonly clusterId?: string | undefined }>>,
): string | undefined {
  for (const [index, { from, to }] of transfers.entries()) {
    const pair = `from ${from} to ${to}`
    for (const name of [from, to]) {
      if (!Object.hasOwn(hsms, name)) return `HSM ${name} is not defined under hsms`
      const { strictCustody, clusterId } = hsms[name]!
      if (clusterId !== undefined)
        return `${pair}: the HSM ${name} is one of a custom key store, which has no multi-Region keys`
      if (strictCustody) return `${pair}: the HSM ${name} has strictCustody, which allows no transfers`
    }
    if (from === to) return `${pair}: a transfer needs two HSMs`
    if (transfers.findIndex(other => other.from === from && other.to === to) < index) return `${pair} is there twice`
  }
  return undefined
}

/** The HSMs for which an HSM may wrap multi-Region keys. */
export function transfersFrom(hsm: string, transfers: Transfers): readonly string[] {
  return transfers.filter(({ from }) => from === hsm).map(({ to }) => to)
}
