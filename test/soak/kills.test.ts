/** A gateway that is killed again and again while clients change keys: storage and the audit journal tell the same story. */
import { randomInt } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { allAccounted, noteCommits, unaccounted } from '../end-to-end/audit-consistency.ts'
import { type Installation, install, recordsOf, serve } from '../end-to-end/gateway.ts'

const kills = 50
const clients = 8

let installation: Installation
beforeAll(async () => {
  installation = await install({ workers: 2 })
  noteCommits(installation)
})
afterAll(() => installation?.remove())

/** Changes one key after another until the gateway is gone. */
async function change(kms: KMS, name: string): Promise<never> {
  for (let number = 0; ; number++) {
    const KeyId = (await kms.createKey({})).KeyMetadata!.KeyId!
    const AliasName = `alias/${name}-${number}`
    await kms.createAlias({ AliasName, TargetKeyId: KeyId })
    for (let times = 0; times < 5; times++) {
      await kms.updateKeyDescription({ KeyId, Description: `${times}` })
      await kms.tagResource({ KeyId, Tags: [{ TagKey: `${times}`, TagValue: name }] })
    }
    await kms.deleteAlias({ AliasName })
    await kms.scheduleKeyDeletion({ KeyId })
  }
}

it(`leaves no change without a record and no record without a change, after ${kills} kills`, async () => {
  for (let round = 0; round < kills; round++) {
    const gateway = await serve(installation)
    const kms = gateway.client()
    const changing = Array.from({ length: clients }, (_, client) => change(kms, `${round}-${client}`))
    const ended = Promise.allSettled(changing)
    await delay(randomInt(200, 1500))
    await gateway.kill()
    await ended
  }
  expect(await (await serve(installation)).stop()).toBe(0)
  const records = recordsOf(installation)
  const late = records.filter(({ addendum }) => addendum !== undefined)
  console.log(`${records.filter(({ readOnly }) => readOnly === false).length} changes, ${late.length} recorded late`)
  expect(unaccounted(installation)).toEqual(allAccounted)
})
