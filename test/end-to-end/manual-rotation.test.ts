/** Manual rotation: an alias moves to another key, for every caller at once, and what the former key encrypted, signed or authenticated is still good. */
import type { KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, type Installation, install, serve } from './gateway.ts'
import { refusal } from './requests.ts'

let installation: Installation
let gateway: Gateway
let kms: KMS

beforeAll(async () => {
  installation = await install()
  gateway = await serve(installation)
  kms = gateway.client()
})
afterAll(async () => {
  await gateway.stop()
  installation.remove()
})

const text = Buffer.from('text')

async function createKeys(count: number, given: Parameters<KMS['createKey']>[0] = {}): Promise<string[]> {
  const created = Array.from({ length: count }, () => kms.createKey(given))
  return (await Promise.all(created)).map(({ KeyMetadata }) => KeyMetadata!.Arn!)
}

describe('an alias that is updated', () => {
  it('names the new key in every call after the answer, of any connection, and never no key', async () => {
    const [one, other] = (await createKeys(2)) as [string, string]
    const AliasName = 'alias/moving'
    await kms.createAlias({ AliasName, TargetKeyId: one })
    let ended = false
    const seen = new Set<string | undefined>()
    const use = async (client: KMS) => {
      while (!ended) {
        const { KeyId, CiphertextBlob } = await client.encrypt({ KeyId: AliasName, Plaintext: text })
        expect((await client.decrypt({ CiphertextBlob })).KeyId).toBe(KeyId)
        seen.add(KeyId)
      }
    }
    const users = [gateway.client(), gateway.client(), gateway.client()].map(use)
    const witness = gateway.client()
    for (let round = 0; round < 20; round++) {
      const TargetKeyId = round % 2 === 0 ? other : one
      await kms.updateAlias({ AliasName, TargetKeyId })
      const answers = [kms, witness].map(client => client.encrypt({ KeyId: AliasName, Plaintext: text }))
      for (const { KeyId } of await Promise.all(answers)) expect(KeyId).toBe(TargetKeyId)
    }
    ended = true
    await Promise.all(users)
    expect(seen).toEqual(new Set([one, other]))
  })

  it('leaves ciphertexts of the former key readable: without a key ID, and not by the alias', async () => {
    const [former, next] = (await createKeys(2)) as [string, string]
    const KeyId = 'alias/symmetric'
    await kms.createAlias({ AliasName: KeyId, TargetKeyId: former })
    const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext: text })
    await kms.updateAlias({ AliasName: KeyId, TargetKeyId: next })
    expect(await kms.decrypt({ CiphertextBlob })).toMatchObject({ KeyId: former })
    expect(await kms.decrypt({ CiphertextBlob, KeyId: former })).toMatchObject({ KeyId: former })
    const wrongKey = /^IncorrectKeyException: /
    expect(await refusal(kms.decrypt({ CiphertextBlob, KeyId }))).toMatch(wrongKey)
    expect(await refusal(kms.reEncrypt({ CiphertextBlob, SourceKeyId: KeyId, DestinationKeyId: KeyId }))).toMatch(
      wrongKey,
    )
    expect(await kms.reEncrypt({ CiphertextBlob, DestinationKeyId: KeyId })).toMatchObject({
      SourceKeyId: former,
      KeyId: next,
    })
  })

  it('leaves signatures and MACs of the former key good under that key, and not under the alias', async () => {
    const signing = { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' } as const
    const [former, next] = (await createKeys(2, signing)) as [string, string]
    await kms.createAlias({ AliasName: 'alias/signing', TargetKeyId: former })
    const sign = { KeyId: 'alias/signing', Message: text, SigningAlgorithm: 'ECDSA_SHA_256' } as const
    const { Signature } = await kms.sign(sign)
    await kms.updateAlias({ AliasName: sign.KeyId, TargetKeyId: next })
    expect(await kms.verify({ ...sign, KeyId: former, Signature })).toMatchObject({ SignatureValid: true })
    expect(await refusal(kms.verify({ ...sign, Signature }))).toMatch(/^KMSInvalidSignatureException/)

    const [formerMac, nextMac] = await createKeys(2, { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' })
    await kms.createAlias({ AliasName: 'alias/mac', TargetKeyId: formerMac })
    const mac = { KeyId: 'alias/mac', Message: text, MacAlgorithm: 'HMAC_SHA_256' } as const
    const { Mac } = await kms.generateMac(mac)
    await kms.updateAlias({ AliasName: mac.KeyId, TargetKeyId: nextMac })
    expect(await kms.verifyMac({ ...mac, KeyId: formerMac, Mac })).toMatchObject({ MacValid: true })
    expect(await refusal(kms.verifyMac({ ...mac, Mac }))).toMatch(/^KMSInvalidMacException/)
  })
})
