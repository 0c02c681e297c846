import type { KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { OperationName } from '../../src/operations/kms/operation.ts'
import { type Gateway, home, type Installation, install, serve } from './gateway.ts'
import { call, refusal, signedPost } from './requests.ts'

/** What is done with keys, and that nothing of it crosses accounts or regions: an unmodified SDK, a real token. */

const foreign = '444455556666'

let installation: Installation
let gateway: Gateway
let kms: KMS
/** The administrator of the other account. */
let stranger: KMS
let key: Key
let other: Key

interface Key {
  readonly KeyId: string
  readonly Arn: string
  readonly CurrentKeyMaterialId: string
}

async function createKey(client = kms): Promise<Key> {
  return (await client.createKey({})).KeyMetadata as Key
}

async function encrypt(text: string, input: object = {}, client = kms): Promise<Uint8Array> {
  const { CiphertextBlob } = await client.encrypt({ KeyId: key.KeyId, Plaintext: Buffer.from(text), ...input })
  return CiphertextBlob!
}

beforeAll(async () => {
  installation = await install({ accounts: [home, foreign], workers: 2 })
  gateway = await serve(installation)
  kms = gateway.client()
  stranger = gateway.client({ account: foreign })
  key = await createKey()
  other = await createKey()
  await kms.createAlias({ AliasName: 'alias/key', TargetKeyId: key.KeyId })
})
afterAll(async () => {
  expect(gateway?.complaints()).toEqual([])
  await gateway?.stop()
  installation?.remove()
})

const text = (bytes: unknown) => Buffer.from(bytes as Uint8Array).toString()
const bytes = (length: number) => expect.toSatisfy((value: Uint8Array) => value.length === length, `${length} bytes`)
const anyBytes = expect.any(Uint8Array)

describe('the output', () => {
  it('of Encrypt and Decrypt has the members that AWS answers', async () => {
    const encrypted = await call(kms, 'Encrypt', { KeyId: 'alias/key', Plaintext: Buffer.from('text') })
    expect(encrypted).toEqual({
      CiphertextBlob: anyBytes,
      EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      KeyId: key.Arn,
    })
    const { CiphertextBlob } = encrypted
    const decrypted = await call(kms, 'Decrypt', { CiphertextBlob })
    expect({ ...decrypted, Plaintext: text(decrypted.Plaintext) }).toEqual({
      EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      KeyId: key.Arn,
      KeyMaterialId: key.CurrentKeyMaterialId,
      Plaintext: 'text',
    })
  })

  it('of ReEncrypt names both keys', async () => {
    const EncryptionContext = { a: '1' }
    const answer = await call(kms, 'ReEncrypt', {
      CiphertextBlob: await encrypt('text'),
      DestinationKeyId: other.KeyId,
      DestinationEncryptionContext: EncryptionContext,
    })
    expect(answer).toEqual({
      CiphertextBlob: anyBytes,
      KeyId: other.Arn,
      SourceKeyId: key.Arn,
      SourceKeyMaterialId: key.CurrentKeyMaterialId,
      DestinationKeyMaterialId: other.CurrentKeyMaterialId,
      SourceEncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      DestinationEncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
    })
    const CiphertextBlob = answer.CiphertextBlob as Uint8Array
    expect(text((await kms.decrypt({ CiphertextBlob, EncryptionContext, KeyId: other.KeyId })).Plaintext)).toBe('text')
  })

  it.each([
    [{ KeySpec: 'AES_256' }, 32],
    [{ KeySpec: 'AES_128' }, 16],
    [{ NumberOfBytes: 1 }, 1],
    [{ NumberOfBytes: 1024 }, 1024],
  ])('of GenerateDataKey with %o is a key that Decrypt finds again', async (size, length) => {
    const EncryptionContext = { purpose: 'data' }
    const made = await call(kms, 'GenerateDataKey', { KeyId: 'alias/key', EncryptionContext, ...size })
    expect(made).toEqual({
      CiphertextBlob: anyBytes,
      KeyId: key.Arn,
      KeyMaterialId: key.CurrentKeyMaterialId,
      Plaintext: bytes(length),
    })
    const CiphertextBlob = made.CiphertextBlob as Uint8Array
    expect((await kms.decrypt({ CiphertextBlob, EncryptionContext })).Plaintext).toEqual(made.Plaintext)
  })

  it('of GenerateDataKeyWithoutPlaintext has no plaintext', async () => {
    const made = await call(kms, 'GenerateDataKeyWithoutPlaintext', { KeyId: key.Arn, KeySpec: 'AES_256' })
    expect(made).toEqual({
      CiphertextBlob: anyBytes,
      KeyId: key.Arn,
      KeyMaterialId: key.CurrentKeyMaterialId,
    })
    const { Plaintext } = await kms.decrypt({ CiphertextBlob: made.CiphertextBlob as Uint8Array })
    expect(Plaintext).toHaveLength(32)
  })

  it('of GenerateRandom has as many bytes as asked for, never the same', async () => {
    for (const NumberOfBytes of [1, 1024]) {
      expect(await call(kms, 'GenerateRandom', { NumberOfBytes })).toEqual({ Plaintext: bytes(NumberOfBytes) })
    }
    const [one, two] = await Promise.all([1, 2].map(() => kms.generateRandom({ NumberOfBytes: 32 })))
    expect(one!.Plaintext).not.toEqual(two!.Plaintext)
  })
})

describe('a plaintext', () => {
  it.each([1, 4096])('of %s bytes comes back as it was', async length => {
    const Plaintext = Buffer.alloc(length, 0xa5)
    const { CiphertextBlob } = await kms.encrypt({ KeyId: key.KeyId, Plaintext })
    expect(Buffer.from((await kms.decrypt({ CiphertextBlob })).Plaintext!)).toEqual(Plaintext)
  })

  it('never makes the same ciphertext twice', async () => {
    const blobs = await Promise.all(Array.from({ length: 50 }, () => encrypt('text')))
    expect(new Set(blobs.map(blob => Buffer.from(blob).toString('hex'))).size).toBe(50)
  })

  it('is what each of many concurrent callers gave', async () => {
    const numbers = Array.from({ length: 100 }, (_, i) => String(i))
    const back = await Promise.all(
      numbers.map(async number => {
        const CiphertextBlob = await encrypt(number, { EncryptionContext: { number } })
        return text((await kms.decrypt({ CiphertextBlob, EncryptionContext: { number } })).Plaintext)
      }),
    )
    expect(back).toEqual(numbers)
  })
})

describe('a ciphertext', () => {
  it('with any byte altered, removed or added is invalid, without a reason', async () => {
    const blob = Buffer.from(await encrypt('text'))
    const altered = Array.from(blob, (byte, i) => {
      const copy = Buffer.from(blob)
      copy[i] = byte ^ (1 << (i % 8))
      return copy
    })
    const lengthened = Buffer.concat([blob, Buffer.alloc(1)])
    const damaged = [...altered, lengthened, blob.subarray(0, -1), blob.subarray(0, 38), blob.subarray(0, 1)]
    for (const KeyId of [undefined, key.Arn]) {
      const answers = await Promise.all(
        damaged.map(CiphertextBlob =>
          signedPost({
            url: gateway.url,
            credentials: installation.credentials[home]!,
            target: 'Decrypt',
            body: { CiphertextBlob: CiphertextBlob.toString('base64'), KeyId },
          }),
        ),
      )
      expect(new Set(answers.map(({ status, body }) => `${status} ${body}`))).toEqual(
        new Set(['400 {"__type":"InvalidCiphertextException"}']),
      )
    }
  })

  it.each<[string, Record<string, string> | undefined, Record<string, string> | undefined]>([
    ['none instead of one', { a: '1' }, undefined],
    ['one instead of none', undefined, { a: '1' }],
    ['another value', { a: '1' }, { a: '2' }],
    ['another case', { a: '1' }, { A: '1' }],
    ['one pair more', { a: '1' }, { a: '1', b: '2' }],
    ['one pair less', { a: '1', b: '2' }, { a: '1' }],
    ['key and value parted elsewhere', { ab: 'c' }, { a: 'bc' }],
    ['the prototype as a key', JSON.parse('{"__proto__":"1"}') as Record<string, string>, undefined],
    ['a composed character decomposed', { a: '\u00e9' }, { a: 'e\u0301' }],
  ])('does not decrypt in another encryption context: %s', async (_, EncryptionContext, wrong) => {
    const CiphertextBlob = await encrypt('text', { EncryptionContext })
    expect(await refusal(kms.decrypt({ CiphertextBlob, EncryptionContext: wrong }))).toBe('InvalidCiphertextException')
    const reEncryption = { CiphertextBlob, SourceEncryptionContext: wrong, DestinationKeyId: key.KeyId }
    expect(await refusal(kms.reEncrypt(reEncryption))).toBe('InvalidCiphertextException')
    expect(text((await kms.decrypt({ CiphertextBlob, EncryptionContext })).Plaintext)).toBe('text')
  })

  it('decrypts in the same encryption context, in whatever order, and with none for an empty one', async () => {
    const CiphertextBlob = await encrypt('text', { EncryptionContext: { a: '1', ä: '∞', '': '' } })
    await kms.decrypt({ CiphertextBlob, EncryptionContext: { '': '', ä: '∞', a: '1' } })
    await kms.decrypt({ CiphertextBlob: await encrypt('text', { EncryptionContext: {} }) })
    await kms.decrypt({ CiphertextBlob: await encrypt('text'), EncryptionContext: {} })
  })

  it('decrypts with its own key only, by any identifier', async () => {
    const CiphertextBlob = await encrypt('text')
    for (const KeyId of [key.KeyId, key.Arn, 'alias/key', `arn:aws:kms:us-east-1:${home}:alias/key`]) {
      expect(text((await kms.decrypt({ CiphertextBlob, KeyId })).Plaintext)).toBe('text')
    }
    const wrong =
      'IncorrectKeyException: The key ID in the request does not identify a CMK that can perform this operation.'
    expect(await refusal(kms.decrypt({ CiphertextBlob, KeyId: other.KeyId }))).toBe(wrong)
    const reEncryption = { CiphertextBlob, SourceKeyId: other.Arn, DestinationKeyId: key.KeyId }
    expect(await refusal(kms.reEncrypt(reEncryption))).toBe(wrong)
  })
})

describe('a request', () => {
  type Row = readonly [OperationName, object, string]
  const length = (member: string, bound: string) =>
    `ValidationException: 1 validation error detected: Value at '${member}' failed to satisfy constraint: Member must have length ${bound}`
  const value = (number: number, bound: string) =>
    `ValidationException: 1 validation error detected: Value '${number}' at 'numberOfBytes' failed to satisfy constraint: Member must have value ${bound}`
  const either = 'ValidationException: Please specify either number of bytes or key spec.'
  const rsa = 'RSAES_OAEP_SHA_256'
  const incompatible = `InvalidKeyUsageException: Algorithm ${rsa} is incompatible with key spec SYMMETRIC_DEFAULT.`
  const recipient = { KeyEncryptionAlgorithm: rsa, AttestationDocument: Buffer.from('x') }
  const noRecipient = 'UnsupportedOperationException: The Recipient parameter is not supported by this gateway.'
  const large = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`key${i}`, `value${i}`]))
  const dryRun = 'DryRunOperationException: The request would have succeeded, but the DryRun option is set.'

  const rows = (blob: Uint8Array): readonly Row[] => {
    const Plaintext = Buffer.from('text')
    const KeyId = key.KeyId
    const CiphertextBlob = blob
    const DestinationKeyId = KeyId
    return [
      ['Encrypt', { KeyId, Plaintext: Buffer.alloc(4097) }, length('plaintext', 'less than or equal to 4096')],
      ['Encrypt', { KeyId, Plaintext: Buffer.alloc(0) }, length('plaintext', 'greater than or equal to 1')],
      ['Encrypt', { KeyId, Plaintext, EncryptionAlgorithm: rsa }, incompatible],
      [
        'Encrypt',
        { KeyId, Plaintext, EncryptionContext: large },
        'ValidationException: The encryption context exceeds the limit of 8192 bytes.',
      ],
      ['Encrypt', { KeyId, Plaintext, GrantTokens: ['token'] }, 'InvalidGrantTokenException'],
      ['Encrypt', { KeyId, Plaintext, DryRun: true }, dryRun],
      ['Decrypt', { CiphertextBlob: Buffer.alloc(6145) }, length('ciphertextBlob', 'less than or equal to 6144')],
      ['Decrypt', { KeyId, CiphertextBlob, EncryptionAlgorithm: rsa }, incompatible],
      [
        'Decrypt',
        { CiphertextBlob, EncryptionContext: large },
        'ValidationException: The encryption context exceeds the limit of 8192 bytes.',
      ],
      ['Decrypt', { CiphertextBlob, GrantTokens: ['token'] }, 'InvalidGrantTokenException'],
      ['Decrypt', { CiphertextBlob, DryRun: true }, dryRun],
      ['Decrypt', { CiphertextBlob, Recipient: recipient }, noRecipient],
      [
        'Decrypt',
        {},
        "ValidationException: 1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be null",
      ],
      [
        'ReEncrypt',
        { CiphertextBlob, SourceKeyId: KeyId, DestinationKeyId, SourceEncryptionAlgorithm: rsa },
        incompatible,
      ],
      ['ReEncrypt', { CiphertextBlob, DestinationKeyId, DestinationEncryptionAlgorithm: rsa }, incompatible],
      ['ReEncrypt', { CiphertextBlob, DestinationKeyId, DryRun: true }, dryRun],
      ['ReEncrypt', { CiphertextBlob, DestinationKeyId, GrantTokens: ['token'] }, 'InvalidGrantTokenException'],
      ['GenerateDataKey', { KeyId }, either],
      ['GenerateDataKey', { KeyId, KeySpec: 'AES_256', NumberOfBytes: 32 }, either],
      ['GenerateDataKey', { KeyId, NumberOfBytes: 1025 }, value(1025, 'less than or equal to 1024')],
      ['GenerateDataKey', { KeyId, NumberOfBytes: 32, DryRun: true }, dryRun],
      ['GenerateDataKey', { KeyId, NumberOfBytes: 32, Recipient: recipient }, noRecipient],
      ['GenerateDataKeyWithoutPlaintext', { KeyId }, either],
      ['GenerateDataKeyWithoutPlaintext', { KeyId, KeySpec: 'AES_256', NumberOfBytes: 32 }, either],
      ['GenerateDataKeyWithoutPlaintext', { KeyId, NumberOfBytes: 32, DryRun: true }, dryRun],
      ['GenerateRandom', {}, 'ValidationException: NumberOfBytes is required.'],
      ['GenerateRandom', { NumberOfBytes: 0 }, value(0, 'greater than or equal to 1')],
      ['GenerateRandom', { NumberOfBytes: 1025 }, value(1025, 'less than or equal to 1024')],
      ['GenerateRandom', { NumberOfBytes: 32, Recipient: recipient }, noRecipient],
      [
        'GenerateRandom',
        { NumberOfBytes: 32, CustomKeyStoreId: 'cks-1' },
        'CustomKeyStoreNotFoundException: Custom key store cks-1 is not found.',
      ],
    ]
  }

  it('is refused with AWS’s error', async () => {
    const table = rows(await encrypt('text'))
    const outcomes = await Promise.all(table.map(([operation, input]) => refusal(call(kms, operation, input))))
    const name = ([operation, input]: Row, outcome: string) => `${operation} ${Object.keys(input)} → ${outcome}`
    expect(table.map((row, i) => name(row, outcomes[i]!))).toEqual(table.map(row => name(row, row[2])))
  })
})

describe('another region', () => {
  it('has neither the keys, nor the aliases, nor the ciphertexts of this one', async () => {
    const elsewhere = gateway.client({ region: 'eu-west-1' })
    const blob = await encrypt('text')
    expect(await refusal(elsewhere.encrypt({ KeyId: 'alias/key', Plaintext: Buffer.from('x') }))).toBe(
      `NotFoundException: Alias arn:aws:kms:eu-west-1:${home}:alias/key is not found.`,
    )
    expect(await refusal(elsewhere.decrypt({ CiphertextBlob: blob }))).toBe(`AccessDeniedException: ${noKey}`)
    expect((await elsewhere.listKeys({})).Keys).toEqual([])
    expect((await elsewhere.listAliases({})).Aliases).toEqual([])
    const own = await createKey(elsewhere)
    await elsewhere.createAlias({ AliasName: 'alias/key', TargetKeyId: own.KeyId })
    expect((await elsewhere.describeKey({ KeyId: 'alias/key' })).KeyMetadata!.Arn).toBe(own.Arn)
    expect((await kms.describeKey({ KeyId: 'alias/key' })).KeyMetadata!.Arn).toBe(key.Arn)
    const foreignBlob = await encrypt('text', { KeyId: own.KeyId }, elsewhere)
    expect(await refusal(kms.decrypt({ CiphertextBlob: foreignBlob }))).toBe(`AccessDeniedException: ${noKey}`)
  })

  it('of another partition is refused unless it is configured', async () => {
    expect(await refusal(gateway.client({ region: 'cn-north-1' }).listKeys({}))).toBe(
      "InvalidSignatureException: Credential should be scoped to a valid region, not 'cn-north-1'.",
    )
  })
})

const noKey =
  'The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.'

describe('another account', () => {
  const denied = (operation: string, resource: string) =>
    `AccessDeniedException: User: arn:aws:iam::${foreign}:user/administrator is not authorized to perform: kms:${operation} on resource: ${resource} because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access`

  const Message = Buffer.from('x')
  const shareable: readonly [OperationName, object][] = [
    ['DescribeKey', {}],
    ['GetPublicKey', {}],
    ['Encrypt', { Plaintext: Buffer.from('x') }],
    ['GenerateDataKey', { KeySpec: 'AES_256' }],
    ['GenerateDataKeyWithoutPlaintext', { KeySpec: 'AES_256' }],
    ['GenerateDataKeyPair', { KeyPairSpec: 'RSA_2048' }],
    ['GenerateDataKeyPairWithoutPlaintext', { KeyPairSpec: 'RSA_2048' }],
    ['Sign', { Message, SigningAlgorithm: 'ECDSA_SHA_256' }],
    ['Verify', { Message, Signature: Message, SigningAlgorithm: 'ECDSA_SHA_256' }],
    ['GenerateMac', { Message, MacAlgorithm: 'HMAC_SHA_256' }],
    ['VerifyMac', { Message, Mac: Message, MacAlgorithm: 'HMAC_SHA_256' }],
    ['DeriveSharedSecret', { PublicKey: Message, KeyAgreementAlgorithm: 'ECDH' }],
  ]
  const unshareable: readonly [OperationName, object][] = [
    ['UpdateKeyDescription', { Description: 'x' }],
    ['EnableKey', {}],
    ['DisableKey', {}],
    ['ScheduleKeyDeletion', {}],
    ['CancelKeyDeletion', {}],
    ['TagResource', { Tags: [{ TagKey: 'a', TagValue: 'b' }] }],
    ['UntagResource', { TagKeys: ['a'] }],
    ['ListResourceTags', {}],
    ['GetKeyPolicy', {}],
    ['ListKeyPolicies', {}],
    ['PutKeyPolicy', { Policy: '{}' }],
  ]
  const onKeys = [...shareable, ...unshareable]

  it.each(onKeys)('is denied %s, whether the key exists or not', async (operation, rest) => {
    const missing = `arn:aws:kms:us-east-1:${home}:key/1234abcd-12ab-34cd-56ef-1234567890ab`
    for (const KeyId of [key.Arn, missing]) {
      expect(await refusal(call(stranger, operation, { KeyId, ...rest }))).toBe(denied(operation, KeyId))
    }
  })

  it.each(['DescribeKey', 'Encrypt', 'GenerateDataKey'] as const)(
    'cannot learn from %s whether an alias exists, or its key',
    async operation => {
      const rest = onKeys.find(([name]) => name === operation)![1]
      for (const name of ['alias/key', 'alias/none']) {
        const KeyId = `arn:aws:kms:us-east-1:${home}:${name}`
        expect(await refusal(call(stranger, operation, { KeyId, ...rest }))).toBe(denied(operation, KeyId))
      }
    },
  )

  it('cannot create an alias of a key, or list its aliases', async () => {
    const input = { AliasName: 'alias/mine', TargetKeyId: key.Arn }
    expect(await refusal(stranger.createAlias(input))).toBe(denied('CreateAlias', key.Arn))
    expect(await refusal(stranger.listAliases({ KeyId: key.Arn }))).toBe(
      `NotFoundException: Key '${key.Arn}' does not exist`,
    )
  })

  it('may use the same names, and sees only its own', async () => {
    const own = await createKey(stranger)
    await stranger.createAlias({ AliasName: 'alias/key', TargetKeyId: own.KeyId })
    expect((await stranger.describeKey({ KeyId: 'alias/key' })).KeyMetadata!.Arn).toBe(own.Arn)
    expect((await stranger.listKeys({})).Keys).toEqual([{ KeyId: own.KeyId, KeyArn: own.Arn }])
    expect((await stranger.listAliases({})).Aliases!.map(({ TargetKeyId }) => TargetKeyId)).toEqual([own.KeyId])
    expect(await refusal(stranger.describeKey({ KeyId: key.KeyId }))).toBe(
      `NotFoundException: Key 'arn:aws:kms:us-east-1:${foreign}:key/${key.KeyId}' does not exist`,
    )
    const { NextMarker } = await kms.listKeys({ Limit: 1 })
    expect(await refusal(stranger.listKeys({ Marker: NextMarker }))).toBe(
      'InvalidMarkerException: Could not deserialize marker',
    )
  })

  it('cannot decrypt without access to the key', async () => {
    const CiphertextBlob = await encrypt('text')
    expect(await refusal(stranger.decrypt({ CiphertextBlob }))).toBe(`AccessDeniedException: ${noKey}`)
    expect(await refusal(stranger.decrypt({ CiphertextBlob, KeyId: key.Arn }))).toBe(denied('Decrypt', key.Arn))
    const own = await createKey(stranger)
    expect(await refusal(stranger.reEncrypt({ CiphertextBlob, DestinationKeyId: own.KeyId }))).toBe(
      `AccessDeniedException: ${noKey}`,
    )
    const mine = await encrypt('text', { KeyId: own.KeyId }, stranger)
    expect(await refusal(stranger.reEncrypt({ CiphertextBlob: mine, DestinationKeyId: key.Arn }))).toBe(
      denied('ReEncryptTo', key.Arn),
    )
  })

  it('can use, and only use, a key whose policy names it', async () => {
    const shared = await createKey()
    await kms.createAlias({ AliasName: 'alias/shared', TargetKeyId: shared.KeyId })
    const allow = (account: string) => ({
      Effect: 'Allow',
      Principal: { AWS: `arn:aws:iam::${account}:root` },
      Action: 'kms:*',
      Resource: '*',
    })
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [allow(home), allow(foreign)] })
    await kms.putKeyPolicy({ KeyId: shared.KeyId, Policy })
    const CiphertextBlob = await encrypt('for both', { KeyId: shared.Arn }, stranger)
    for (const client of [kms, stranger]) {
      expect(text((await client.decrypt({ CiphertextBlob })).Plaintext)).toBe('for both')
    }
    const byAlias = { KeyId: `arn:aws:kms:us-east-1:${home}:alias/shared` }
    expect((await stranger.describeKey(byAlias)).KeyMetadata!.Arn).toBe(shared.Arn)
    for (const [operation, rest] of unshareable) {
      expect(await refusal(call(stranger, operation, { KeyId: shared.Arn, ...rest }))).toBe(
        denied(operation, shared.Arn),
      )
    }
  })
})
