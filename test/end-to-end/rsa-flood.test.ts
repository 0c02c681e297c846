import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, home, type Installation, install, serve } from './gateway.ts'
import { refusal } from './requests.ts'

/** One tenant requests more RSA keys than can be generated, while another one works. */

const modest = '444455556666'
/** In addition to the two generated at a time. */
const maxQueuedCalls = 2
const asked = 10

let installation: Installation
let gateway: Gateway

beforeAll(async () => {
  installation = await install({ accounts: [home, modest], workers: 2 })
  // A busy machine takes long for such a key; how long is not what is tested.
  installation.configure(({ hsms }) => void Object.assign(hsms.softhsm!, { maxQueuedCalls, callTimeout: '10s' }))
  gateway = await serve(installation)
})
afterAll(async () => {
  await gateway?.kill()
  installation?.remove()
})

describe('a tenant that floods the HSM with RSA_4096 keys', () => {
  it('is throttled; no worker is lost, and no call of another tenant', async () => {
    const greedy = gateway.client({ account: home })
    let pending = asked
    const flood = Array.from({ length: asked }, () =>
      refusal(greedy.createKey({ KeySpec: 'RSA_4096', KeyUsage: 'SIGN_VERIFY' })).finally(() => pending--),
    )
    const kms = gateway.client({ account: modest })
    let served = 0
    const failures: string[] = []
    const work = async () => {
      while (pending > 0) {
        const { KeyMetadata } = await kms.createKey({})
        await kms.encrypt({ KeyId: KeyMetadata!.KeyId!, Plaintext: Buffer.from('text') })
        served++
      }
    }
    await Promise.all([work(), work()].map(loop => loop.catch(error => failures.push(String(error)))))
    const outcomes = await Promise.all(flood)
    expect(outcomes.filter(outcome => outcome?.startsWith('ThrottlingException'))).toHaveLength(
      asked - 2 - maxQueuedCalls,
    )
    expect(outcomes.filter(outcome => !outcome?.startsWith('ThrottlingException'))).toHaveLength(2 + maxQueuedCalls)
    expect(outcomes.filter(outcome => /Unavailable|Internal/.test(String(outcome)))).toEqual([])
    expect(failures).toEqual([])
    expect(served).toBeGreaterThan(3)
    expect(gateway.warnings()).toEqual([])
  })
})
