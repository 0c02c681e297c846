/** Keys that are created and used by many at a time, for minutes: none is ever said not to be there. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createAndUse } from '../end-to-end/creators.ts'
import { type Gateway, type Installation, install, serve } from '../end-to-end/gateway.ts'

const minutes = Number(process.env.STRONGROOM_SOAK_MINUTES ?? 5)

let installation: Installation
let gateway: Gateway

beforeAll(async () => {
  installation = await install({ workers: 2 })
  gateway = await serve(installation)
})
afterAll(async () => {
  await gateway?.kill()
  installation?.remove()
})

it(`8 creators and 8 users for ${minutes} minutes get no false answer, and no worker is replaced`, async () => {
  const { created, used, failures } = await createAndUse(gateway.client(), 8, 8, minutes * 60)
  console.log({ created, used, failures: failures.length })
  expect(failures).toEqual([])
  expect(gateway.warnings()).toEqual([])
})
