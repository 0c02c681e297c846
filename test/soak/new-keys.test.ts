/** Keys that are created and used by many at a time, for minutes, while `doctor` reads the same token: none is ever said not to be there. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Gateway, type Installation, install, serve, strongroom } from '../end-to-end/gateway.ts'
import { createAndUse } from '../end-to-end/key-creation.ts'

const minutes = Number(process.env.STRONGROOM_SOAK_MINUTES ?? 5)

let installation: Installation
let gateway: Gateway

beforeAll(async () => {
  installation = await install({ workers: 2 })
  // On a machine with other things to do a late answer is not a false one.
  installation.configure(({ hsms }) => void Object.assign(hsms.softhsm!, { callTimeout: '20s' }))
  gateway = await serve(installation)
})
afterAll(async () => {
  await gateway?.kill()
  installation?.remove()
})

it(`8 clients that create keys and 8 that use them for ${minutes} minutes get no wrong answer, and no worker is replaced`, async () => {
  let isOver = false
  const doctors = (async () => {
    const codes: (number | null)[] = []
    while (!isOver) codes.push((await strongroom(['doctor', '--data', installation.folder])).code)
    return codes
  })()
  const { created, used, failures } = await createAndUse(gateway.client(), 8, 8, minutes * 60)
  isOver = true
  const examined = (await doctors).length
  console.log({ created, used, failures: failures.length, examined })
  expect(failures).toEqual([])
  expect(gateway.warnings()).toEqual([])
})
