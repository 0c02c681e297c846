import { z } from 'zod'
import { Failure } from '../../errors.ts'
import { operation } from './operation.ts'

/** Ends the lease of a gateway whose machine is certainly off, so that no answer waits for it, and forgets it. Refused for one that renews it. */
export const removeGateway = operation({
  name: 'RemoveGateway',
  schema: z.strictObject({ gateway: z.string() }),
  recorded: ['gateway'],
  async run({ input: { gateway }, storage: { fleet } }) {
    if (gateway === fleet.gateway) throw new Failure('Validation', `${gateway} is this gateway: stop it instead`)
    const members = await fleet.members()
    if (!members.some(member => member.gateway === gateway))
      throw new Failure('NotFound', `there is no gateway ${gateway}`)
    if (!(await fleet.remove(gateway)))
      throw new Failure('InvalidState', `${gateway} has just renewed its lease, so it runs: stop it instead`)
    return {}
  },
})
