import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Preloaded } from '../preloaded/preloaded.ts'
import { type Gateway, type Installation, install, serve } from './gateway.ts'
import { send } from './requests.ts'

/** A disk that takes seconds for a commit: which requests wait for it. */

let folder: string
let disk: Preloaded
let installation: Installation
let gateway: Gateway

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'slow-disk-'))
  disk = new Preloaded('slow-disk', folder)
  installation = await install()
  gateway = await serve(installation, { environment: disk.environment })
})
afterAll(async () => {
  disk.set(0)
  await gateway?.kill()
  installation?.remove()
  rmSync(folder, { recursive: true })
})

it('delays requests that change something, and no others', async () => {
  const kms = gateway.client()
  const KeyId = (await kms.createKey({})).KeyMetadata!.KeyId!
  const order: string[] = []
  const note = async (what: string, work: Promise<unknown>) => {
    await work
    order.push(what)
  }
  const calls = async () => {
    for (let number = 0; number < 5; number++) {
      const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext: Buffer.from('text') })
      await kms.decrypt({ CiphertextBlob })
      await kms.describeKey({ KeyId })
      expect((await send(`${gateway.url}/healthz`, {})).status).toBe(200)
    }
  }
  disk.set(3000)
  const changes = ['a', 'b'].map(Description => note('change', kms.updateKeyDescription({ KeyId, Description })))
  await note('calls', calls())
  disk.set(0)
  await Promise.all(changes)
  expect(order).toEqual(['calls', 'change', 'change'])
  expect((await kms.describeKey({ KeyId })).KeyMetadata!.Description).toMatch(/^[ab]$/)
})
