import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, type Installation, install, serve } from './gateway.ts'
import { createAndUse } from './key-creation.ts'

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

describe('keys that are used as soon as they are created, by many at a time,', () => {
  it('are found, and so are the older ones; no worker is replaced', async () => {
    const { created, used, failures } = await createAndUse(gateway.client(), 8, 4, 5)
    expect(failures).toEqual([])
    expect(created).toBeGreaterThan(10)
    expect(used).toBeGreaterThan(2 * created)
    expect(gateway.warnings()).toEqual([])
  })
})
