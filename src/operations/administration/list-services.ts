import { z } from 'zod'
import { operation } from './operation.ts'

export const listServices = operation({
  name: 'ListServices',
  readOnly: true,
  schema: z.strictObject({}),
  recorded: [],
  async run({ storage }) {
    const services = [...storage.services.all()].sort((a, b) => (a.name < b.name ? -1 : 1))
    return { services: services.map(({ name, userArn, accounts }) => ({ name, userArn, accounts })) }
  },
})
