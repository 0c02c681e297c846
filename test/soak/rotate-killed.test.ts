/** `strongroom rotate` that is killed, or the gateway that does it, at any moment: the alias names the old key or the new one, with its record. */
import { randomInt } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { withAdministration } from '../../src/cli/administration.ts'
import type { AliasKeys } from '../../src/cli/alias-report.ts'
import { allAccounted, noteCommits, unaccounted } from '../end-to-end/audit-consistency.ts'
import { type Gateway, type Installation, install, serve, startCommand } from '../end-to-end/gateway.ts'

const kills = 10
const AliasName = 'alias/killed'

let installation: Installation
beforeAll(async () => {
  installation = await install()
  noteCommits(installation)
})
afterAll(() => installation?.remove())

const keysOfAlias = async () => {
  const data = installation.folder
  const { keys } = await withAdministration({ data }, call => call<AliasKeys>('ListAliasKeys', { alias: AliasName }))
  return keys.map(({ arn }) => arn)
}

/** Kills a process in the middle of a rotation; then the keys of the alias are those of before, perhaps with one more in front. */
async function killIn(kill: (command: ReturnType<typeof startCommand>['child']) => Promise<void>): Promise<void> {
  const before = await keysOfAlias()
  const { child, ended } = startCommand(['rotate', AliasName, '--data', installation.folder])
  await delay(randomInt(200, 1500))
  await kill(child)
  const { code } = await ended
  const after = await keysOfAlias()
  expect(after.slice(-before.length)).toEqual(before)
  expect(code === 0 ? [1] : [0, 1]).toContain(after.length - before.length)
}

/** The key works, and no other was left behind: only those of the alias are in the account. */
async function checkWith(gateway: Gateway): Promise<void> {
  const kms = gateway.client()
  const Message = Buffer.from('text')
  await kms.sign({ KeyId: AliasName, Message, SigningAlgorithm: 'RSASSA_PSS_SHA_256' })
  const { Keys } = await kms.listKeys({ Limit: 1000 })
  expect(Keys!.map(({ KeyArn }) => KeyArn).sort()).toEqual((await keysOfAlias()).sort())
}

it(`is done or not done, after ${2 * kills} kills`, async () => {
  let gateway = await serve(installation)
  const { KeyMetadata } = await gateway.client().createKey({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' })
  await gateway.client().createAlias({ AliasName, TargetKeyId: KeyMetadata!.KeyId })
  for (let round = 0; round < kills; round++) {
    await killIn(() => gateway.kill())
    await killIn(async command => void command.kill('SIGKILL'))
    gateway = await serve(installation)
    await checkWith(gateway)
  }
  await gateway.stop()
  console.log(`${(await keysOfAlias()).length - 1} of ${2 * kills} rotations were done`)
  expect(unaccounted(installation)).toEqual(allAccounted)
})
