import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { connectHsm } from '../../../src/hsm/registry.ts'
import { newMaterial } from '../../contracts/hsm.ts'
import { FaultHsm } from '../../fault-hsm/fault-hsm.ts'
import { createSoftHsm, type SoftHsm } from '../softhsm.ts'

let softHsm: SoftHsm
let fault: FaultHsm
beforeAll(async () => {
  softHsm = await createSoftHsm()
  fault = new FaultHsm(softHsm.directory)
})
afterAll(() => softHsm.remove())

it.each(['synchronous', 'asynchronous'])('sessionsPerWorker bounds the sessions of a worker in mode %s', async mode => {
  const profile = join(softHsm.directory, 'few.yaml')
  writeFileSync(profile, `name: few\nbasedOn: softhsm2\nmode: ${mode}\nsessionsPerWorker: 3\n`)
  const environment = { ...softHsm.options.environment, ...fault.environment() }
  const hsm = await connectHsm({
    ...softHsm.options,
    library: fault.library,
    environment,
    profile,
    workers: 1,
    callTimeout: 20_000,
  })
  const object = newMaterial()
  await hsm.generateKey(object, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'a key')
  fault.set('count C_OpenSession', 'count C_Encrypt')
  const calls = Array.from({ length: 300 }, () => hsm.encrypt(object, Buffer.from('text'), Buffer.from('aad')))
  expect(new Set((await Promise.all(calls)).map(({ iv }) => Buffer.from(iv).toString('hex'))).size).toBe(300)
  const [opened, encrypted] = fault.counts()
  expect(encrypted!.calls).toBe(300)
  expect(opened!.calls).toBeLessThanOrEqual(3)
  await hsm.close()
})
