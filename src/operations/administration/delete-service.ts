import { z } from 'zod'
import { Failure } from '../../errors.ts'
import { operation } from './operation.ts'

/** Its user stays, and calls as itself again. */
export const deleteService = operation({
  name: 'DeleteService',
  schema: z.strictObject({ name: z.string() }),
  recorded: ['name'],
  async run({ input: { name }, storage: { services }, changes }) {
    const service = services.find(name)
    if (!service) throw new Failure('NotFound', `there is no service ${name}`)
    changes.remove('services', service)
    return {}
  },
})
