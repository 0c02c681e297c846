/** A gateway that is killed again and again while key material is imported, rotated, deleted and destroyed: no ciphertext is lost. */
import { randomBytes, randomInt } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { wrapMaterial } from '../contracts/wrapping.ts'
import { allAccounted, noteCommits, unaccounted } from '../end-to-end/audit-consistency.ts'
import { type Installation, install, serve } from '../end-to-end/gateway.ts'
import { refusal } from '../end-to-end/requests.ts'
import { objectsOn } from '../end-to-end/token-objects.ts'

const kills = 30
const clients = 4
const text = Buffer.from('a secret that is not one')

let installation: Installation
beforeAll(async () => {
  installation = await install({ workers: 2 })
  installation.configure(config => Object.assign(config, { rotation: { maxOnDemandRotations: 10_000 } }))
  noteCommits(installation)
})
afterAll(() => installation?.remove())

interface Keys {
  readonly generated: string
  readonly imported: string
  /** Imports the same material again. */
  readonly request: Parameters<KMS['importKeyMaterial']>[0]
  readonly ciphertexts: Map<string, Uint8Array[]>
}

async function newKeys(kms: KMS): Promise<Keys> {
  const [generated, imported] = [await kms.createKey({}), await kms.createKey({ Origin: 'EXTERNAL' })].map(
    ({ KeyMetadata }) => KeyMetadata!.Arn!,
  ) as [string, string]
  const way = { WrappingAlgorithm: 'RSAES_OAEP_SHA_1', WrappingKeySpec: 'RSA_2048' } as const
  const { ImportToken, PublicKey } = await kms.getParametersForImport({ KeyId: imported, ...way })
  const EncryptedKeyMaterial = wrapMaterial(PublicKey!, way.WrappingAlgorithm, randomBytes(32))
  const request = {
    KeyId: imported,
    ImportToken,
    EncryptedKeyMaterial,
    ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
  } as const
  await kms.importKeyMaterial(request)
  return { generated, imported, request, ciphertexts: new Map([generated, imported].map(arn => [arn, []])) }
}

/** Changes the material of keys until the gateway is gone. */
async function change(kms: KMS, { generated, imported, request, ciphertexts }: Keys): Promise<never> {
  const steps = [
    () => kms.rotateKeyOnDemand({ KeyId: generated }),
    () => kms.importKeyMaterial(request),
    () => kms.deleteImportedKeyMaterial({ KeyId: imported }).then(() => kms.importKeyMaterial(request)),
    async () => {
      for (const [KeyId, made] of ciphertexts)
        made.push((await kms.encrypt({ KeyId, Plaintext: text })).CiphertextBlob!)
    },
  ]
  for (;;) await steps[randomInt(steps.length)]!()
}

/** After a restart every state is legal, and every ciphertext decrypts, or does as soon as the material is imported again. */
async function check(kms: KMS, { generated, imported, request, ciphertexts }: Keys): Promise<void> {
  const { KeyState } = (await kms.describeKey({ KeyId: imported })).KeyMetadata!
  expect(['Enabled', 'PendingImport']).toContain(KeyState)
  if (KeyState === 'PendingImport') {
    for (const CiphertextBlob of ciphertexts.get(imported)!)
      expect(await refusal(kms.decrypt({ CiphertextBlob }))).toMatch(/ is pending import\.$/)
    await kms.importKeyMaterial(request)
  }
  for (const KeyId of [generated, imported]) {
    for (const CiphertextBlob of ciphertexts.get(KeyId)!)
      expect(Buffer.from((await kms.decrypt({ CiphertextBlob, KeyId })).Plaintext!)).toEqual(text)
  }
}

it(`loses no ciphertext and leaves no object behind unreported, after ${kills} kills`, async () => {
  let gateway = await serve(installation)
  const all = await Promise.all(Array.from({ length: clients }, () => newKeys(gateway.client())))
  for (let round = 0; round < kills; round++) {
    const kms = gateway.client()
    const ended = Promise.allSettled(all.map(keys => change(kms, keys)))
    await delay(randomInt(200, 1500))
    await gateway.kill()
    for (const outcome of await ended)
      expect(String((outcome as PromiseRejectedResult).reason)).toMatch(/ECONNRE|socket hang up|aborted/i)
    gateway = await serve(installation)
    await Promise.all(all.map(keys => check(gateway.client(), keys)))
  }
  // The sweep looks twice, ten seconds apart, before it calls an object orphaned; destruction takes a second.
  await delay(15_000)
  expect(gateway.complaints()).toEqual([])
  const orphans = gateway
    .warnings()
    .filter(line => line.includes('"orphaned_object"'))
    .map(line => JSON.parse(line).id as string)
    .filter(id => id !== '')
  await gateway.stop()
  const after = await serve(installation)
  for (const keys of all) await check(after.client(), keys)
  const rotations = await Promise.all(
    all.map(
      async ({ generated }) =>
        (await after.client().listKeyRotations({ KeyId: generated, Limit: 1000 })).Rotations!.length,
    ),
  )
  await after.stop()
  expect(unaccounted(installation)).toEqual(allAccounted)
  // SoftHSM killed while it writes a key leaves an object without CKA_ID.
  const ids = (await objectsOn(installation)).map(({ id }) => id).filter(id => id !== '')
  expect(new Set(ids).size).toBe(ids.length)
  // Each client has a wrapping key, its imported material, and the generated material of each rotation.
  const systemKeys = 3
  const used = rotations.reduce((sum, count) => sum + count + 3, systemKeys)
  expect(ids.length - used).toBe(new Set(orphans).size)
  console.log(`${rotations.reduce((sum, count) => sum + count)} rotations, ${new Set(orphans).size} orphaned objects`)
})
