/** Manual rotation: an alias moves to another key, for every caller at once, and what the former key encrypted, signed or authenticated is still good. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { CreateKeyCommandInput, KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { withAdministration } from '../../src/cli/administration.ts'
import type { RotatedAlias } from '../../src/operations/administration/rotate-alias.ts'
import { wrapMaterial } from '../contracts/wrapping.ts'
import { type Gateway, home, type Installation, install, serve, strongroom } from './gateway.ts'
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
const administrator = `arn:aws:iam::${home}:user/administrator`
const aliasArn = (name: string) => `arn:aws:kms:us-east-1:${home}:alias/${name}`

async function createKeys(count: number, given: CreateKeyCommandInput = {}): Promise<string[]> {
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
    for (let round = 0; round < 8; round++) {
      const TargetKeyId = round % 2 === 0 ? other : one
      await kms.updateAlias({ AliasName, TargetKeyId })
      const answers = [kms, witness].map(client => client.encrypt({ KeyId: AliasName, Plaintext: text }))
      for (const { KeyId } of await Promise.all(answers)) expect(KeyId).toBe(TargetKeyId)
    }
    ended = true
    await Promise.all(users)
    expect([one, other]).toEqual(expect.arrayContaining([...seen]))
    const record = gateway.records().findLast(({ eventName }) => eventName === 'UpdateAlias')!
    expect(record.responseElements).toEqual({ keyId: one })
    expect(record.resources!.map(({ ARN }) => ARN)).toEqual([one, other, aliasArn('moving')])
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

const inFolder = () => ['--data', installation.folder]
const rotate = (alias: string) =>
  withAdministration({ data: installation.folder }, call => call<RotatedAlias>('RotateAlias', { alias }))

async function aliasOf(AliasName: string, given: CreateKeyCommandInput = {}): Promise<string> {
  const [TargetKeyId] = await createKeys(1, given)
  await kms.createAlias({ AliasName, TargetKeyId })
  return TargetKeyId!
}

describe('strongroom rotate', () => {
  it.each<[string, CreateKeyCommandInput, (KeyId: string) => Promise<(KeyId: string) => Promise<unknown>>]>([
    [
      'symmetric',
      { KeySpec: 'SYMMETRIC_DEFAULT' },
      async KeyId => {
        const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext: text })
        return KeyId => kms.decrypt({ KeyId, CiphertextBlob })
      },
    ],
    [
      'RSA',
      { KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' },
      async KeyId => {
        const algorithm = { EncryptionAlgorithm: 'RSAES_OAEP_SHA_256' } as const
        const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext: text, ...algorithm })
        return KeyId => kms.decrypt({ KeyId, CiphertextBlob, ...algorithm })
      },
    ],
    [
      'elliptic-curve',
      { KeySpec: 'ECC_NIST_P384', KeyUsage: 'SIGN_VERIFY' },
      async KeyId => {
        const message = { Message: text, SigningAlgorithm: 'ECDSA_SHA_384' } as const
        const { Signature } = await kms.sign({ KeyId, ...message })
        return KeyId => kms.verify({ KeyId, ...message, Signature })
      },
    ],
    [
      'HMAC',
      { KeySpec: 'HMAC_512', KeyUsage: 'GENERATE_VERIFY_MAC' },
      async KeyId => {
        const message = { Message: text, MacAlgorithm: 'HMAC_SHA_512' } as const
        const { Mac } = await kms.generateMac({ KeyId, ...message })
        return KeyId => kms.verifyMac({ KeyId, ...message, Mac })
      },
    ],
  ])('replaces a key that is %s', async (kind, given, use) => {
    const [alias, Tags] = [`alias/${kind}-key`, [{ TagKey: 'team', TagValue: kind }]]
    const former = await aliasOf(alias, { ...given, Description: kind, Tags })
    const undo = await use(alias)
    const { newKeyArn } = await rotate(alias)
    const [before, after] = await Promise.all([former, alias].map(KeyId => kms.describeKey({ KeyId })))
    const { KeyId, CreationDate, CurrentKeyMaterialId } = after!.KeyMetadata!
    expect(after!.KeyMetadata).toEqual({
      ...before!.KeyMetadata,
      ...{ Arn: newKeyArn, KeyId, CreationDate },
      ...(CurrentKeyMaterialId && { CurrentKeyMaterialId }),
    })
    expect(newKeyArn).not.toBe(former)
    expect((await kms.listResourceTags({ KeyId })).Tags).toEqual(Tags)
    await undo(former)
    expect(await refusal(undo(alias))).not.toBe('no refusal')
    await (await use(alias))(newKeyArn!)
  })

  it('says what it did, and who still uses the former keys', async () => {
    const command = async (...args: readonly string[]) => {
      const { code, stdout, stderr } = await strongroom(['rotate', 'alias/told', ...args, ...inFolder()])
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      return stdout.replaceAll(/\d{4}-\d\d-\d\dT[\d:]+Z/g, 'TIME')
    }
    const kind = 'HMAC_256, GENERATE_VERIFY_MAC, Enabled'
    const moved = await aliasOf('alias/told', { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' })
    const [former] = await createKeys(1, { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' })
    await kms.updateAlias({ AliasName: 'alias/told', TargetKeyId: former! })
    await kms.createGrant({ KeyId: former!, GranteePrincipal: administrator, Operations: ['GenerateMac'] })
    await kms.createAlias({ AliasName: 'alias/also-told', TargetKeyId: former! })
    const heading = `alias    ${aliasArn('told')}\nold key  ${former}  ${kind}\n`
    expect(await command('--dry-run')).toBe(
      `${heading}Dry run: nothing was changed. A new key like the old one would be created, and the alias would name it.\n`,
    )
    const told = await command()
    const { KeyMetadata } = await kms.describeKey({ KeyId: 'alias/told' })
    expect(told).toBe(`${heading}new key  ${KeyMetadata!.Arn}  ${kind}
The alias now names the new key. Keep the old one enabled to decrypt and verify what was made with it.
The new key has no grants; the old one has 1.
The old key keeps its other aliases: alias/also-told.
To see who still uses the old key:
  strongroom rotate ${aliasArn('told')} --data ${installation.folder} --report
`)
    const mac = { Message: text, MacAlgorithm: 'HMAC_SHA_256' } as const
    await kms.generateMac({ ...mac, KeyId: former })
    await kms.disableKey({ KeyId: former })
    expect(await refusal(kms.generateMac({ ...mac, KeyId: former }))).toMatch(/^DisabledException/)
    expect((await command('--report')).replaceAll(/ +/g, ' ')).toBe(`current ${KeyMetadata!.Arn} Enabled, never used
former ${former} Disabled, replaced TIME, last used TIME (GenerateMac)
 ${administrator} GenerateMac: 1 ok, 1 refused, last TIME
former ${moved} Enabled, replaced TIME, never used
 no calls since TIME
The calls are those on record in ${join(installation.folder, 'audit.jsonl')} and the segments beside it.
`)
  })

  it('waits for the material of a key that is imported, and says what to do', async () => {
    const importInto = async (KeyId: string) => {
      const way = { WrappingAlgorithm: 'RSAES_OAEP_SHA_1', WrappingKeySpec: 'RSA_2048' } as const
      const { ImportToken, PublicKey } = await kms.getParametersForImport({ KeyId, ...way })
      const EncryptedKeyMaterial = wrapMaterial(PublicKey!, way.WrappingAlgorithm, randomBytes(32))
      const ExpirationModel = 'KEY_MATERIAL_DOES_NOT_EXPIRE'
      await kms.importKeyMaterial({ KeyId, ImportToken, EncryptedKeyMaterial, ExpirationModel })
    }
    const former = await aliasOf('alias/imported', { Origin: 'EXTERNAL' })
    await importInto(former)
    const KeyId = 'alias/imported'
    const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext: text })
    const { code, stdout } = await strongroom(['rotate', KeyId, ...inFolder()])
    const [next] = /(?<=^new key {2})\S+(?= {2}SYMMETRIC_DEFAULT, ENCRYPT_DECRYPT, imported, PendingImport$)/m.exec(
      stdout,
    )!
    const id = next.slice(next.indexOf('/') + 1)
    expect(code).toBe(0)
    expect(
      stdout,
    ).toContain(`The alias still names the old key, as the new one has no key material yet. Import 32 random bytes:
  aws kms get-parameters-for-import --region us-east-1 --key-id ${id} --wrapping-key-spec RSA_3072 --wrapping-algorithm RSAES_OAEP_SHA_256
`)
    expect((await kms.encrypt({ KeyId, Plaintext: text })).KeyId).toBe(former)
    await importInto(next)
    expect(await rotate(KeyId)).toMatchObject({ newKeyArn: next, created: false, moved: true })
    expect((await kms.encrypt({ KeyId, Plaintext: text })).KeyId).toBe(next)
    expect((await kms.decrypt({ CiphertextBlob })).KeyId).toBe(former)
  })

  it('is on record with the operator, the keys and the alias', async () => {
    const former = await aliasOf('alias/recorded')
    const { newKeyArn } = await rotate('alias/recorded')
    expect(gateway.records().at(-1)).toMatchObject({
      eventSource: 'administration.strongroom',
      eventName: 'RotateAlias',
      readOnly: false,
      userIdentity: { type: 'Operator', uid: process.getuid!() },
      requestParameters: { alias: 'alias/recorded' },
      responseElements: { aliasArn: aliasArn('recorded'), formerKeyArn: former, newKeyArn, moved: true },
      resources: [newKeyArn, former, aliasArn('recorded')].map(ARN => ({ ARN, accountId: home })),
    })
  })

  it('that is asked for twice at once happens twice, one after the other', async () => {
    const former = await aliasOf('alias/twice')
    const both = await Promise.all([rotate('alias/twice'), rotate('alias/twice')])
    const [first, second] = both.sort((a, b) => Number(b.formerKeyArn === former) - Number(a.formerKeyArn === former))
    expect(first).toMatchObject({ formerKeyArn: former, newKeyArn: second!.formerKeyArn })
    expect((await kms.describeKey({ KeyId: 'alias/twice' })).KeyMetadata!.Arn).toBe(second!.newKeyArn)
  })
})
