import { generateKeyPairSync } from 'node:crypto'
import type { KeySpec, KeyUsageType, KMS, MessageType, SigningAlgorithmSpec } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { OperationName } from '../../src/operations/kms/operation.ts'
import { type Gateway, type Installation, install, serve } from './gateway.ts'
import { call, refusal } from './requests.ts'
import { type Kinds, makeKeys, type TestKey } from './test-keys.ts'

/** Every pairing of operation, key, algorithm, message type and length that does not go together, in the words of AWS. */

// biome-ignore format: a table
const kinds = {
  symmetric:  ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'],
  rsa:        ['RSA_2048', 'ENCRYPT_DECRYPT'],
  rsaSigning: ['RSA_2048', 'SIGN_VERIFY'],
  p256:       ['ECC_NIST_P256', 'SIGN_VERIFY'],
  p384:       ['ECC_NIST_P384', 'SIGN_VERIFY'],
  p521:       ['ECC_NIST_P521', 'SIGN_VERIFY'],
  k256:       ['ECC_SECG_P256K1', 'SIGN_VERIFY'],
  ed25519:    ['ECC_NIST_EDWARDS25519', 'SIGN_VERIFY'],
  agreement:  ['ECC_NIST_P256', 'KEY_AGREEMENT'],
  hmac224:    ['HMAC_224', 'GENERATE_VERIFY_MAC'],
  hmac256:    ['HMAC_256', 'GENERATE_VERIFY_MAC'],
} as const satisfies Kinds<string>
type Name = keyof typeof kinds
const names = Object.keys(kinds) as Name[]

let installation: Installation
let gateway: Gateway
let kms: KMS
let keys: Readonly<Record<Name, TestKey>>

beforeAll(async () => {
  installation = await install()
  gateway = await serve(installation)
  kms = gateway.client()
  keys = await makeKeys(kms, kinds)
}, 60_000)
afterAll(async () => {
  expect(gateway?.complaints()).toEqual([])
  await gateway?.stop()
  installation?.remove()
})

const Message = Buffer.from('message')
const Plaintext = Buffer.from('plaintext')
const CiphertextBlob = Buffer.alloc(256)
const PublicKey = peer('prime256v1')

function peer(namedCurve: string): Buffer {
  return generateKeyPairSync('ec', { namedCurve }).publicKey.export({ format: 'der', type: 'spki' })
}

/** Compares the answer of each request with the expected one. All are sent at once. */
async function expectRefusals(rows: readonly (readonly [OperationName, object, string])[]): Promise<void> {
  const outcomes = await Promise.all(rows.map(([operation, input]) => refusal(call(kms, operation, input))))
  const line = ([operation, input]: (typeof rows)[number], outcome: string) =>
    `${operation} ${JSON.stringify(input, (_, value) => (isBytes(value) ? `${value.data.length} bytes` : value))}: ${outcome}`
  expect(rows.length).toBeGreaterThan(0)
  expect(rows.map((row, i) => line(row, outcomes[i]!))).toEqual(rows.map(row => line(row, row[2])))
}

function isBytes(value: unknown): value is { readonly data: readonly number[] } {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer'
}

const incompatible = (algorithm: string, spec: string) =>
  `InvalidKeyUsageException: Algorithm ${algorithm} is incompatible with key spec ${spec}.`
const asymmetricDataKey = 'InvalidKeyUsageException: You cannot generate a data key with an asymmetric CMK'
const dryRun = 'DryRunOperationException: The request would have succeeded, but the DryRun option is set.'

interface Use {
  readonly operation: OperationName
  readonly usage: KeyUsageType
  /** A key with which `input` is right. */
  readonly key: Name
  readonly input: object
}

const uses: readonly Use[] = [
  { operation: 'Encrypt', usage: 'ENCRYPT_DECRYPT', key: 'symmetric', input: { Plaintext } },
  {
    operation: 'Decrypt',
    usage: 'ENCRYPT_DECRYPT',
    key: 'rsa',
    input: { CiphertextBlob, EncryptionAlgorithm: 'RSAES_OAEP_SHA_256' },
  },
  { operation: 'GenerateDataKey', usage: 'ENCRYPT_DECRYPT', key: 'symmetric', input: { KeySpec: 'AES_256' } },
  {
    operation: 'GenerateDataKeyWithoutPlaintext',
    usage: 'ENCRYPT_DECRYPT',
    key: 'symmetric',
    input: { NumberOfBytes: 32 },
  },
  {
    operation: 'GenerateDataKeyPair',
    usage: 'ENCRYPT_DECRYPT',
    key: 'symmetric',
    input: { KeyPairSpec: 'ECC_NIST_P256' },
  },
  {
    operation: 'GenerateDataKeyPairWithoutPlaintext',
    usage: 'ENCRYPT_DECRYPT',
    key: 'symmetric',
    input: { KeyPairSpec: 'RSA_2048' },
  },
  { operation: 'Sign', usage: 'SIGN_VERIFY', key: 'p256', input: { Message, SigningAlgorithm: 'ECDSA_SHA_256' } },
  {
    operation: 'Verify',
    usage: 'SIGN_VERIFY',
    key: 'rsaSigning',
    input: { Message, Signature: Buffer.alloc(256), SigningAlgorithm: 'RSASSA_PSS_SHA_256' },
  },
  {
    operation: 'GenerateMac',
    usage: 'GENERATE_VERIFY_MAC',
    key: 'hmac256',
    input: { Message, MacAlgorithm: 'HMAC_SHA_256' },
  },
  {
    operation: 'VerifyMac',
    usage: 'GENERATE_VERIFY_MAC',
    key: 'hmac256',
    input: { Message, Mac: Buffer.alloc(32), MacAlgorithm: 'HMAC_SHA_256' },
  },
  {
    operation: 'DeriveSharedSecret',
    usage: 'KEY_AGREEMENT',
    key: 'agreement',
    input: { PublicKey, KeyAgreementAlgorithm: 'ECDH' },
  },
]

describe.each(uses)('$operation', ({ operation, usage, key, input }) => {
  const wrongUsage = ({ Arn, usage }: TestKey) =>
    `InvalidKeyUsageException: ${Arn} key usage is ${usage} which is not valid for ${operation}.`

  it('refuses every key of another usage, with its ARN', async () => {
    const others = names.map(name => keys[name]).filter(other => other.usage !== usage)
    const AliasName = `alias/${operation}`
    await kms.createAlias({ AliasName, TargetKeyId: others[0]!.KeyId })
    await expectRefusals([
      ...others.map(other => [operation, { KeyId: other.KeyId, ...input }, wrongUsage(other)] as const),
      [operation, { KeyId: AliasName, ...input }, wrongUsage(others[0]!)],
    ])
  })

  it('ends a dry run before anything is done', async () => {
    await expectRefusals([[operation, { KeyId: keys[key].KeyId, ...input, DryRun: true }, dryRun]])
  })

  it('refuses grant tokens', async () => {
    const GrantTokens = ['token']
    await expectRefusals([[operation, { KeyId: keys[key].KeyId, ...input, GrantTokens }, 'InvalidGrantTokenException']])
  })

  it('checks the usage, then the state', async () => {
    const other = operation.includes('Mac') ? 'p256' : 'hmac256'
    const { right, wrong } = await makeKeys(kms, { right: kinds[key], wrong: kinds[other] })
    await Promise.all([right, wrong].map(({ KeyId }) => kms.disableKey({ KeyId })))
    await expectRefusals([
      [operation, { KeyId: right.KeyId, ...input }, `DisabledException: ${right.Arn} is disabled.`],
      [operation, { KeyId: wrong.KeyId, ...input }, wrongUsage(wrong)],
    ])
    await kms.scheduleKeyDeletion({ KeyId: right.KeyId })
    const pending = `KMSInvalidStateException: ${right.Arn} is pending deletion.`
    await expectRefusals([[operation, { KeyId: right.KeyId, ...input }, pending]])
  })
})

describe.each(['GenerateDataKey', 'GenerateDataKeyWithoutPlaintext'] as const)('%s', operation => {
  it('requires one size before it checks usage, state and spec', async () => {
    const either = 'ValidationException: Please specify either number of bytes or key spec.'
    const made = await makeKeys(kms, {
      symmetric: kinds.symmetric,
      disabled: kinds.symmetric,
      pending: kinds.symmetric,
      hmac: kinds.hmac256,
      signing: kinds.p256,
    })
    await Promise.all([made.disabled, made.hmac].map(({ KeyId }) => kms.disableKey({ KeyId })))
    await kms.scheduleKeyDeletion({ KeyId: made.pending.KeyId })
    await expectRefusals(
      [...Object.values(made), keys.rsa].flatMap(({ KeyId }) =>
        [{}, { KeySpec: 'AES_256', NumberOfBytes: 32 }, { DryRun: true }].map(
          sizes => [operation, { KeyId, ...sizes }, either] as const,
        ),
      ),
    )
    const KeyId = '1234abcd-12ab-34cd-56ef-1234567890ab'
    expect(await refusal(call(kms, operation, { KeyId }))).toMatch(/^NotFoundException: Key '.*' does not exist$/)
  })
})

describe('an algorithm', () => {
  const encryption = ['SYMMETRIC_DEFAULT', 'RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256', 'SM2PKE']
  const signing = [
    ...['PKCS1_V1_5', 'PSS'].flatMap(padding => [256, 384, 512].map(bits => `RSASSA_${padding}_SHA_${bits}`)),
    'ECDSA_SHA_256',
    'ECDSA_SHA_384',
    'ECDSA_SHA_512',
    'ED25519_SHA_512',
    'ED25519_PH_SHA_512',
    'ML_DSA_SHAKE_256',
    'SM2DSA',
    // No signing algorithm, and AWS lets the key spec say so.
    'SYMMETRIC_DEFAULT',
  ]
  const own: Readonly<Partial<Record<Name, readonly string[]>>> = {
    symmetric: ['SYMMETRIC_DEFAULT'],
    rsa: ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'],
    rsaSigning: signing.slice(0, 6),
    p256: ['ECDSA_SHA_256'],
    p384: ['ECDSA_SHA_384'],
    p521: ['ECDSA_SHA_512'],
    k256: ['ECDSA_SHA_256'],
    ed25519: ['ED25519_SHA_512', 'ED25519_PH_SHA_512'],
    hmac224: ['HMAC_SHA_224'],
    hmac256: ['HMAC_SHA_256'],
  }
  const wrong = (name: Name, all: readonly string[]) => all.filter(algorithm => !own[name]!.includes(algorithm))

  it.each(['symmetric', 'rsa'] as const)('of encryption goes with %s or is refused', async name => {
    const { KeyId, spec } = keys[name]
    await expectRefusals(
      wrong(name, encryption).flatMap(algorithm => [
        ['Encrypt', { KeyId, Plaintext, EncryptionAlgorithm: algorithm }, incompatible(algorithm, spec)] as const,
        [
          'Decrypt',
          { KeyId, CiphertextBlob, EncryptionAlgorithm: algorithm },
          // The blob is checked first: it is not a valid SYMMETRIC_DEFAULT blob.
          algorithm === 'SYMMETRIC_DEFAULT' ? 'InvalidCiphertextException' : incompatible(algorithm, spec),
        ] as const,
      ]),
    )
  })

  it.each(['rsaSigning', 'p256', 'p384', 'p521', 'k256', 'ed25519'] as const)(
    'of signatures goes with %s or is refused, whatever the message',
    async name => {
      const { KeyId, spec } = keys[name]
      await expectRefusals(
        wrong(name, signing).flatMap(SigningAlgorithm =>
          (['RAW', 'DIGEST', 'EXTERNAL_MU'] as const).flatMap(MessageType => {
            const input = { KeyId, Message, MessageType, SigningAlgorithm }
            const expected = incompatible(SigningAlgorithm, spec)
            return [
              ['Sign', input, expected] as const,
              ['Verify', { ...input, Signature: Buffer.alloc(64) }, expected] as const,
            ]
          }),
        ),
      )
    },
  )

  it.each(['hmac224', 'hmac256'] as const)('of MACs goes with %s or is refused', async name => {
    const { KeyId, spec } = keys[name]
    const all = [224, 256, 384, 512].map(bits => `HMAC_SHA_${bits}`)
    await expectRefusals(
      wrong(name, all).flatMap(MacAlgorithm => [
        ['GenerateMac', { KeyId, Message, MacAlgorithm }, incompatible(MacAlgorithm, spec)] as const,
        ['VerifyMac', { KeyId, Message, Mac: Message, MacAlgorithm }, incompatible(MacAlgorithm, spec)] as const,
      ]),
    )
  })

  it('defaults to the symmetric one, and is checked after the state', async () => {
    const { KeyId, Arn } = (await makeKeys(kms, { rsa: kinds.rsa })).rsa
    await expectRefusals([['Encrypt', { KeyId, Plaintext }, incompatible('SYMMETRIC_DEFAULT', 'RSA_2048')]])
    await kms.disableKey({ KeyId })
    await expectRefusals([['Encrypt', { KeyId, Plaintext }, `DisabledException: ${Arn} is disabled.`]])
  })
})

describe('a message', () => {
  const digestLengths: readonly (readonly [Name, SigningAlgorithmSpec, number])[] = [
    ...(['PKCS1_V1_5', 'PSS'] as const).flatMap(padding => [
      ['rsaSigning', `RSASSA_${padding}_SHA_256`, 32] as const,
      ['rsaSigning', `RSASSA_${padding}_SHA_384`, 48] as const,
      ['rsaSigning', `RSASSA_${padding}_SHA_512`, 64] as const,
    ]),
    ['p256', 'ECDSA_SHA_256', 32],
    ['p384', 'ECDSA_SHA_384', 48],
    ['p521', 'ECDSA_SHA_512', 64],
    ['k256', 'ECDSA_SHA_256', 32],
    ['ed25519', 'ED25519_PH_SHA_512', 64],
  ]
  const both = (input: object, expected: string) =>
    [
      ['Sign', input, expected],
      ['Verify', { ...input, Signature: Buffer.alloc(64) }, expected],
    ] as const

  it.each(digestLengths)('that is a digest for %s with %s has %s bytes', async (name, SigningAlgorithm, length) => {
    const { KeyId } = keys[name]
    const expected = `ValidationException: Digest is invalid length for algorithm ${SigningAlgorithm}.`
    const wrong = [1, 20, 28, 32, 48, 64, length - 1, length + 1, 4096].filter(other => other !== length)
    await expectRefusals(
      wrong.flatMap(other =>
        both({ KeyId, Message: Buffer.alloc(other), MessageType: 'DIGEST', SigningAlgorithm }, expected),
      ),
    )
  })

  it('must have a type that fits the algorithm, checked before its length', async () => {
    const rows: readonly (readonly [Name, SigningAlgorithmSpec, MessageType])[] = [
      ['rsaSigning', 'RSASSA_PSS_SHA_256', 'EXTERNAL_MU'],
      ['p256', 'ECDSA_SHA_256', 'EXTERNAL_MU'],
      ['ed25519', 'ED25519_SHA_512', 'DIGEST'],
      ['ed25519', 'ED25519_SHA_512', 'EXTERNAL_MU'],
      ['ed25519', 'ED25519_PH_SHA_512', 'RAW'],
      ['ed25519', 'ED25519_PH_SHA_512', 'EXTERNAL_MU'],
    ]
    await expectRefusals(
      rows.flatMap(([name, SigningAlgorithm, MessageType]) =>
        [1, 64].flatMap(length =>
          both(
            { KeyId: keys[name].KeyId, Message: Buffer.alloc(length), MessageType, SigningAlgorithm },
            `ValidationException: Message type ${MessageType} is incompatible with algorithm ${SigningAlgorithm}.`,
          ),
        ),
      ),
    )
  })

  it('has 1 to 4096 bytes, and a MAC or signature 1 to 6144', async () => {
    const length = (member: string, bound: string) =>
      `ValidationException: 1 validation error detected: Value at '${member}' failed to satisfy constraint: Member must have length ${bound}`
    const signing = { KeyId: keys.p256.KeyId, SigningAlgorithm: 'ECDSA_SHA_256' }
    const mac = { KeyId: keys.hmac256.KeyId, MacAlgorithm: 'HMAC_SHA_256' }
    const [none, tooLong] = [Buffer.alloc(0), Buffer.alloc(4097)]
    await expectRefusals([
      ...both({ ...signing, Message: none }, length('message', 'greater than or equal to 1')),
      ...both({ ...signing, Message: tooLong }, length('message', 'less than or equal to 4096')),
      ['GenerateMac', { ...mac, Message: none }, length('message', 'greater than or equal to 1')],
      ['GenerateMac', { ...mac, Message: tooLong }, length('message', 'less than or equal to 4096')],
      ...([0, 6145] as const).flatMap(bytes => {
        const bound = bytes === 0 ? 'greater than or equal to 1' : 'less than or equal to 6144'
        const Message = Buffer.alloc(1)
        return [
          ['Verify', { ...signing, Message, Signature: Buffer.alloc(bytes) }, length('signature', bound)] as const,
          ['VerifyMac', { ...mac, Message, Mac: Buffer.alloc(bytes) }, length('mac', bound)] as const,
        ]
      }),
    ])
  })
})

describe('asymmetric encryption', () => {
  it.each([
    ['RSAES_OAEP_SHA_1', 214],
    ['RSAES_OAEP_SHA_256', 190],
  ] as const)('with %s takes at most %s bytes, even in a dry run', async (EncryptionAlgorithm, limit) => {
    const { KeyId } = keys.rsa
    const expected = `ValidationException: Algorithm ${EncryptionAlgorithm} and key spec RSA_2048 cannot encrypt data larger than ${limit} bytes.`
    const input = { KeyId, EncryptionAlgorithm }
    await expectRefusals([
      ['Encrypt', { ...input, Plaintext: Buffer.alloc(limit + 1) }, expected],
      ['Encrypt', { ...input, Plaintext: Buffer.alloc(4096) }, expected],
      ['Encrypt', { ...input, Plaintext: Buffer.alloc(limit + 1), DryRun: true }, expected],
      ['Encrypt', { ...input, Plaintext: Buffer.alloc(limit), DryRun: true }, dryRun],
    ])
  })

  it('has no encryption context, and requires the key', async () => {
    const { KeyId } = keys.rsa
    const EncryptionAlgorithm = 'RSAES_OAEP_SHA_256'
    const EncryptionContext = { a: '1' }
    const context =
      'ValidationException: EncryptionContext is not supported when encrypting/decrypting with asymmetric CMKs.'
    const toSymmetric = { CiphertextBlob, DestinationKeyId: keys.symmetric.KeyId }
    const source = { SourceKeyId: KeyId, SourceEncryptionAlgorithm: EncryptionAlgorithm }
    const { CiphertextBlob: blob } = await kms.encrypt({ KeyId: keys.symmetric.KeyId, Plaintext })
    const destination = { DestinationKeyId: KeyId, DestinationEncryptionAlgorithm: EncryptionAlgorithm }
    await expectRefusals([
      ['Encrypt', { KeyId, Plaintext, EncryptionAlgorithm, EncryptionContext }, context],
      ['Decrypt', { KeyId, CiphertextBlob, EncryptionAlgorithm, EncryptionContext }, context],
      ['ReEncrypt', { ...toSymmetric, ...source, SourceEncryptionContext: EncryptionContext }, context],
      ['ReEncrypt', { CiphertextBlob: blob, ...destination, DestinationEncryptionContext: EncryptionContext }, context],
      ['Encrypt', { KeyId, Plaintext, EncryptionAlgorithm, EncryptionContext: {}, DryRun: true }, dryRun],
      ['Decrypt', { CiphertextBlob, EncryptionAlgorithm }, 'ValidationException: KeyId must not be null'],
      [
        'ReEncrypt',
        { ...toSymmetric, SourceEncryptionAlgorithm: EncryptionAlgorithm },
        'ValidationException: SourceKeyId must not be null',
      ],
    ])
  })

  it('and symmetric ciphertexts are not confused', async () => {
    const { CiphertextBlob: blob } = await kms.encrypt({ KeyId: keys.symmetric.KeyId, Plaintext })
    const rsa = { KeyId: keys.rsa.KeyId, EncryptionAlgorithm: 'RSAES_OAEP_SHA_256' } as const
    const { CiphertextBlob: block } = await kms.encrypt({ ...rsa, Plaintext })
    const wrongKey =
      'IncorrectKeyException: The key ID in the request does not identify a CMK that can perform this operation.'
    await expectRefusals([
      ['Decrypt', { KeyId: keys.rsa.KeyId, CiphertextBlob: block }, 'InvalidCiphertextException'],
      ['Decrypt', { CiphertextBlob: block }, 'InvalidCiphertextException'],
      ['Decrypt', { ...rsa, CiphertextBlob: blob }, 'InvalidCiphertextException'],
      ...(['rsa', 'hmac256', 'p256'] as const).map(
        name => ['Decrypt', { KeyId: keys[name].KeyId, CiphertextBlob: blob }, wrongKey] as const,
      ),
    ])
  })

  it('accepts no key of another usage in ReEncrypt', async () => {
    const { CiphertextBlob: blob } = await kms.encrypt({ KeyId: keys.symmetric.KeyId, Plaintext })
    const algorithm = 'RSAES_OAEP_SHA_256'
    const { Arn, KeyId } = keys.rsaSigning
    const wrong = (operation: string) =>
      `InvalidKeyUsageException: ${Arn} key usage is SIGN_VERIFY which is not valid for ${operation}.`
    const DestinationKeyId = keys.symmetric.KeyId
    await expectRefusals([
      ['ReEncrypt', { CiphertextBlob: blob, DestinationKeyId: KeyId }, wrong('ReEncryptTo')],
      [
        'ReEncrypt',
        { CiphertextBlob, SourceKeyId: KeyId, SourceEncryptionAlgorithm: algorithm, DestinationKeyId },
        wrong('ReEncryptFrom'),
      ],
      [
        'ReEncrypt',
        { CiphertextBlob: blob, DestinationKeyId: keys.rsa.KeyId },
        incompatible('SYMMETRIC_DEFAULT', 'RSA_2048'),
      ],
      [
        'ReEncrypt',
        { CiphertextBlob: blob, DestinationKeyId, DestinationEncryptionAlgorithm: algorithm },
        incompatible(algorithm, 'SYMMETRIC_DEFAULT'),
      ],
    ])
  })

  it('makes no data keys', async () => {
    const { KeyId } = keys.rsa
    await expectRefusals([
      ['GenerateDataKey', { KeyId, KeySpec: 'AES_256' }, asymmetricDataKey],
      ['GenerateDataKeyWithoutPlaintext', { KeyId, KeySpec: 'AES_256' }, asymmetricDataKey],
      ['GenerateDataKeyPair', { KeyId, KeyPairSpec: 'RSA_2048' }, asymmetricDataKey],
      ['GenerateDataKeyPairWithoutPlaintext', { KeyId, KeyPairSpec: 'RSA_2048' }, asymmetricDataKey],
    ])
  })
})

describe('key agreement', () => {
  it('refuses anything but a public key on the curve, without a reason', async () => {
    const { KeyId } = keys.agreement
    const beside = Buffer.from(PublicKey)
    beside[beside.length - 1]! ^= 1
    const infinity = Buffer.from('301930130607 2a8648ce3d0201 06082a8648ce3d030107 03020000'.replaceAll(' ', ''), 'hex')
    const peers = [
      peer('secp384r1'),
      peer('secp256k1'),
      generateKeyPairSync('x25519').publicKey.export({ format: 'der', type: 'spki' }),
      generateKeyPairSync('ec', { namedCurve: 'prime256v1', paramEncoding: 'explicit' }).publicKey.export({
        format: 'der',
        type: 'spki',
      }),
      beside,
      infinity,
      PublicKey.subarray(0, -1),
      Buffer.concat([PublicKey, Buffer.alloc(1)]),
      Buffer.alloc(1),
      Buffer.alloc(8192, 0x30),
    ]
    const input = { KeyId, KeyAgreementAlgorithm: 'ECDH' }
    await expectRefusals(
      peers.flatMap(PublicKey => [
        ['DeriveSharedSecret', { ...input, PublicKey }, 'ValidationException'] as const,
        ['DeriveSharedSecret', { ...input, PublicKey, DryRun: true }, 'ValidationException'] as const,
      ]),
    )
  })

  it('has one algorithm', async () => {
    const expected =
      "ValidationException: 1 validation error detected: Value 'X25519' at 'keyAgreementAlgorithm' failed to satisfy constraint: Member must satisfy enum value set: [ECDH]"
    await expectRefusals([
      ['DeriveSharedSecret', { KeyId: keys.agreement.KeyId, PublicKey, KeyAgreementAlgorithm: 'X25519' }, expected],
    ])
  })
})

describe('a public key', () => {
  it('does not exist for secret keys, checked after their state', async () => {
    const { key } = await makeKeys(kms, { key: kinds.hmac256 })
    await kms.scheduleKeyDeletion({ KeyId: key.KeyId })
    await expectRefusals([
      ['GetPublicKey', { KeyId: keys.symmetric.KeyId }, 'UnsupportedOperationException'],
      ['GetPublicKey', { KeyId: keys.hmac224.KeyId }, 'UnsupportedOperationException'],
      ['GetPublicKey', { KeyId: key.KeyId }, `KMSInvalidStateException: ${key.Arn} is pending deletion.`],
      ['GetPublicKey', { KeyId: keys.p256.KeyId, GrantTokens: ['token'] }, 'InvalidGrantTokenException'],
    ])
  })
})

describe('a new key', () => {
  const usages: Readonly<Record<string, readonly KeyUsageType[]>> = {
    SYMMETRIC: ['ENCRYPT_DECRYPT'],
    RSA: ['ENCRYPT_DECRYPT', 'SIGN_VERIFY'],
    NIST: ['SIGN_VERIFY', 'KEY_AGREEMENT'],
    SIGNING: ['SIGN_VERIFY'],
    HMAC: ['GENERATE_VERIFY_MAC'],
    SM2: ['ENCRYPT_DECRYPT', 'SIGN_VERIFY', 'KEY_AGREEMENT'],
    KEM: ['ENCAPSULATE_DECAPSULATE'],
  }
  const specs: readonly [KeySpec, keyof typeof usages][] = [
    ['SYMMETRIC_DEFAULT', 'SYMMETRIC'],
    ...(['RSA_2048', 'RSA_3072', 'RSA_4096'] as const).map(spec => [spec, 'RSA'] as [KeySpec, string]),
    ...(['ECC_NIST_P256', 'ECC_NIST_P384', 'ECC_NIST_P521'] as const).map(spec => [spec, 'NIST'] as [KeySpec, string]),
    ['ECC_SECG_P256K1', 'SIGNING'],
    ['ECC_NIST_EDWARDS25519', 'SIGNING'],
    ...(['ML_DSA_44', 'ML_DSA_65', 'ML_DSA_87'] as const).map(spec => [spec, 'SIGNING'] as [KeySpec, string]),
    ...(['HMAC_224', 'HMAC_256', 'HMAC_384', 'HMAC_512'] as const).map(spec => [spec, 'HMAC'] as [KeySpec, string]),
    ['SM2', 'SM2'],
    ...(['ML_KEM_512', 'ML_KEM_768', 'ML_KEM_1024'] as const).map(spec => [spec, 'KEM'] as [KeySpec, string]),
  ]
  const all: readonly KeyUsageType[] = [
    'ENCRYPT_DECRYPT',
    'SIGN_VERIFY',
    'GENERATE_VERIFY_MAC',
    'KEY_AGREEMENT',
    'ENCAPSULATE_DECAPSULATE',
  ]

  it('has a usage that fits its spec', async () => {
    await expectRefusals(
      specs.flatMap(([KeySpec, group]) =>
        all
          .filter(usage => !usages[group]!.includes(usage))
          .map(KeyUsage => {
            const expected = `ValidationException: KeyUsage ${KeyUsage} is not compatible with KeySpec ${KeySpec}`
            return ['CreateKey', { KeySpec, KeyUsage }, expected] as const
          }),
      ),
    )
  })

  it('requires a usage, unless it is symmetric', async () => {
    const expected =
      'ValidationException: You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.'
    await expectRefusals(specs.slice(1).map(([KeySpec]) => ['CreateKey', { KeySpec }, expected] as const))
  })

  it('takes the old or the new member, not both', async () => {
    const both = { KeySpec: 'HMAC_256', CustomerMasterKeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' }
    await expectRefusals([
      [
        'CreateKey',
        both,
        'ValidationException: You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.',
      ],
    ])
    const { KeyMetadata } = await kms.createKey({
      CustomerMasterKeySpec: 'HMAC_256',
      KeyUsage: 'GENERATE_VERIFY_MAC',
    })
    expect(KeyMetadata).toMatchObject({ KeySpec: 'HMAC_256', CustomerMasterKeySpec: 'HMAC_256' })
  })

  it('is refused if the HSM does not support it, and leaves nothing behind', async () => {
    const before = (await kms.listKeys({ Limit: 1000 })).Keys
    for (const [KeySpec, group] of specs.filter(([spec]) => spec.startsWith('ML_DSA') || spec === 'SM2')) {
      for (const KeyUsage of usages[group]!) {
        const outcome = await refusal(kms.createKey({ KeySpec, KeyUsage }))
        expect(outcome).toMatch(new RegExp(`^UnsupportedOperationException: .*${KeySpec}`))
      }
    }
    expect((await kms.listKeys({ Limit: 1000 })).Keys).toEqual(before)
    const pair = { KeyId: keys.symmetric.KeyId, KeyPairSpec: 'SM2' } as const
    expect(await refusal(kms.generateDataKeyPair(pair))).toMatch(/^UnsupportedOperationException: .*SM2/)
  })
})

describe('an alias', () => {
  it('never moves to a key of another usage or type, and freely between specs', async () => {
    const refused = (name: string, what: string, from: string, to: string) =>
      `ValidationException: Alias ${name} cannot be changed from a CMK with ${what} ${from} to a CMK with ${what} ${to}. The ${what} of the current CMK and the new CMK must be the same.`
    for (const from of names) {
      const AliasName = `alias/from-${from}`
      await kms.createAlias({ AliasName, TargetKeyId: keys[from].KeyId })
      for (const to of names) {
        const [{ usage }, next] = [keys[from], keys[to]]
        const outcome = await refusal(kms.updateAlias({ AliasName, TargetKeyId: next.KeyId }))
        const types = [from, to].map(name => (name === 'symmetric' ? 'symmetric' : 'asymmetric'))
        const expected =
          usage !== next.usage
            ? refused(AliasName, 'key usage', usage, next.usage)
            : types[0] !== types[1]
              ? refused(AliasName, 'key type', types[0]!, types[1]!)
              : 'no refusal'
        expect(outcome, `from ${from} to ${to}`).toBe(expected)
      }
    }
  })
})
