import {
  constants,
  createHash,
  createPrivateKey,
  diffieHellman,
  sign as externallySign,
  verify as externallyVerify,
  generateKeyPairSync,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
} from 'node:crypto'
import type { DataKeyPairSpec, KMS, MacAlgorithmSpec, SigningAlgorithmSpec } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { OperationName } from '../../src/operations/kms/operation.ts'
import { type Gateway, home, type Installation, install, serve } from './gateway.ts'
import { call, refusal } from './requests.ts'
import { type Kinds, makeKeys, publicKeyOf, spki, type TestKey } from './test-keys.ts'

/** Keys of every type: an unmodified SDK on one side, OpenSSL as node:crypto has it on the other, a real token between. */

// biome-ignore format: a table
const kinds = {
  symmetric:   ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'],
  rsa2048:     ['RSA_2048', 'ENCRYPT_DECRYPT'],
  rsa3072:     ['RSA_3072', 'ENCRYPT_DECRYPT'],
  rsa4096:     ['RSA_4096', 'ENCRYPT_DECRYPT'],
  rsaSigning:  ['RSA_2048', 'SIGN_VERIFY'],
  rsa3072Sign: ['RSA_3072', 'SIGN_VERIFY'],
  rsa4096Sign: ['RSA_4096', 'SIGN_VERIFY'],
  p256:        ['ECC_NIST_P256', 'SIGN_VERIFY'],
  p384:        ['ECC_NIST_P384', 'SIGN_VERIFY'],
  p521:        ['ECC_NIST_P521', 'SIGN_VERIFY'],
  k256:        ['ECC_SECG_P256K1', 'SIGN_VERIFY'],
  ed25519:     ['ECC_NIST_EDWARDS25519', 'SIGN_VERIFY'],
  p256Agree:   ['ECC_NIST_P256', 'KEY_AGREEMENT'],
  p384Agree:   ['ECC_NIST_P384', 'KEY_AGREEMENT'],
  p521Agree:   ['ECC_NIST_P521', 'KEY_AGREEMENT'],
  hmac224:     ['HMAC_224', 'GENERATE_VERIFY_MAC'],
  hmac256:     ['HMAC_256', 'GENERATE_VERIFY_MAC'],
  hmac384:     ['HMAC_384', 'GENERATE_VERIFY_MAC'],
  hmac512:     ['HMAC_512', 'GENERATE_VERIFY_MAC'],
} as const satisfies Kinds<string>
type Name = keyof typeof kinds

let installation: Installation
let gateway: Gateway
let kms: KMS
let keys: Readonly<Record<Name, TestKey>>

beforeAll(async () => {
  installation = await install()
  gateway = await serve(installation)
  kms = gateway.client()
  keys = await makeKeys(kms, kinds)
}, 120_000)
afterAll(async () => {
  expect(gateway?.complaints()).toEqual([])
  await gateway?.stop()
  installation?.remove()
})

const anyBytes = expect.any(Uint8Array)
const Message = Buffer.from('a message')

const rsaSigning = ['PKCS1_V1_5', 'PSS'].flatMap(padding =>
  [256, 384, 512].map(bits => `RSASSA_${padding}_SHA_${bits}` as SigningAlgorithmSpec),
)
const oaep = ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'] as const

describe('the metadata', () => {
  it.each<[Name, object]>([
    ['rsa4096', { EncryptionAlgorithms: [...oaep] }],
    ['rsaSigning', { SigningAlgorithms: rsaSigning }],
    ['p256', { SigningAlgorithms: ['ECDSA_SHA_256'] }],
    ['p384', { SigningAlgorithms: ['ECDSA_SHA_384'] }],
    ['p521', { SigningAlgorithms: ['ECDSA_SHA_512'] }],
    ['k256', { SigningAlgorithms: ['ECDSA_SHA_256'] }],
    ['ed25519', { SigningAlgorithms: ['ED25519_SHA_512'] }],
    ['p521Agree', { KeyAgreementAlgorithms: ['ECDH'] }],
    ['hmac224', { MacAlgorithms: ['HMAC_SHA_224'] }],
    ['hmac512', { MacAlgorithms: ['HMAC_SHA_512'] }],
  ])('of %s names its algorithms, and no material', async (name, algorithms) => {
    const { KeyId, Arn, spec, usage } = keys[name]
    const { KeyMetadata } = await call(kms, 'DescribeKey', { KeyId })
    expect(KeyMetadata).toEqual({
      AWSAccountId: home,
      Arn,
      CreationDate: expect.any(Date),
      CustomerMasterKeySpec: spec,
      Description: '',
      Enabled: true,
      KeyId,
      KeyManager: 'CUSTOMER',
      KeySpec: spec,
      KeyState: 'Enabled',
      KeyUsage: usage,
      MultiRegion: false,
      Origin: 'AWS_KMS',
      ...algorithms,
    })
    if (spec.startsWith('HMAC')) return
    expect(await call(kms, 'GetPublicKey', { KeyId })).toEqual({
      CustomerMasterKeySpec: spec,
      KeyId: Arn,
      KeySpec: spec,
      KeyUsage: usage,
      PublicKey: anyBytes,
      ...algorithms,
    })
  })
})

describe('a public key', () => {
  const ec = (namedCurve: string) => ['ec', { namedCurve }] as const
  const rsa = (modulusLength: number) => ['rsa', { modulusLength, publicExponent: 65537n }] as const
  it.each<[Name, readonly [string, object]]>([
    ['rsa2048', rsa(2048)],
    ['rsa3072', rsa(3072)],
    ['rsa4096', rsa(4096)],
    ['rsaSigning', rsa(2048)],
    ['p256', ec('prime256v1')],
    ['p384', ec('secp384r1')],
    ['p521', ec('secp521r1')],
    ['k256', ec('secp256k1')],
    ['ed25519', ['ed25519', {}]],
    ['p256Agree', ec('prime256v1')],
  ])('of %s is what the key spec promises', async (name, [type, details]) => {
    const key = await publicKeyOf(kms, keys[name])
    expect([key.asymmetricKeyType, key.asymmetricKeyDetails]).toEqual([type, details])
  })

  it('is available for a disabled key, not for one that is pending deletion', async () => {
    const { KeyId, Arn } = (await makeKeys(kms, { key: ['ECC_NIST_P256', 'SIGN_VERIFY'] })).key
    const { PublicKey } = await kms.getPublicKey({ KeyId })
    await kms.disableKey({ KeyId })
    expect((await kms.getPublicKey({ KeyId })).PublicKey).toEqual(PublicKey)
    await kms.scheduleKeyDeletion({ KeyId })
    expect(await refusal(kms.getPublicKey({ KeyId }))).toBe(`KMSInvalidStateException: ${Arn} is pending deletion.`)
  })

  it('and its key outlive the gateway', async () => {
    const { PublicKey } = await kms.getPublicKey(keys.p256)
    const { Signature } = await kms.sign({ ...keys.p256, Message, SigningAlgorithm: 'ECDSA_SHA_256' })
    await gateway.stop()
    gateway = await serve(installation)
    kms = gateway.client()
    expect((await kms.getPublicKey(keys.p256)).PublicKey).toEqual(PublicKey)
    await kms.verify({ ...keys.p256, Message, Signature, SigningAlgorithm: 'ECDSA_SHA_256' })
  })
})

describe('a signature', () => {
  const hashOf = (algorithm: SigningAlgorithmSpec) => `sha${algorithm.slice(-3)}`

  function isValid(key: KeyObject, algorithm: SigningAlgorithmSpec, message: Uint8Array, signature: Uint8Array) {
    if (algorithm === 'ED25519_SHA_512') return externallyVerify(null, message, key, signature)
    const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    return externallyVerify(hashOf(algorithm), message, { key, ...(algorithm.includes('PSS') && pss) }, signature)
  }

  const pairs: readonly (readonly [Name, SigningAlgorithmSpec])[] = [
    ...(['rsaSigning', 'rsa3072Sign', 'rsa4096Sign'] as const).flatMap(name =>
      rsaSigning.map(algorithm => [name, algorithm] as const),
    ),
    ['p256', 'ECDSA_SHA_256'],
    ['p384', 'ECDSA_SHA_384'],
    ['p521', 'ECDSA_SHA_512'],
    ['k256', 'ECDSA_SHA_256'],
    ['ed25519', 'ED25519_SHA_512'],
  ]

  it.each(pairs)('by %s with %s is accepted by other implementations', async (name, SigningAlgorithm) => {
    const { KeyId, Arn } = keys[name]
    const publicKey = await publicKeyOf(kms, keys[name])
    for (const length of [1, 4096]) {
      const Message = Buffer.alloc(length, 'm')
      const signed = await call(kms, 'Sign', { KeyId, Message, SigningAlgorithm })
      expect(signed).toEqual({ KeyId: Arn, Signature: anyBytes, SigningAlgorithm })
      const Signature = signed.Signature as Uint8Array
      expect(isValid(publicKey, SigningAlgorithm, Message, Signature)).toBe(true)
      const verified = await call(kms, 'Verify', { KeyId, Message, Signature, SigningAlgorithm })
      expect(verified).toEqual({ KeyId: Arn, SignatureValid: true, SigningAlgorithm })
    }
  })

  it.each(pairs.filter(([name]) => name !== 'ed25519'))(
    'by %s with %s is the same for a message and for its digest',
    async (name, SigningAlgorithm) => {
      const { KeyId } = keys[name]
      const publicKey = await publicKeyOf(kms, keys[name])
      const digest = { KeyId, Message: createHash(hashOf(SigningAlgorithm)).update(Message).digest() }
      const ofDigest = await kms.sign({ ...digest, MessageType: 'DIGEST', SigningAlgorithm })
      expect(isValid(publicKey, SigningAlgorithm, Message, ofDigest.Signature!)).toBe(true)
      await kms.verify({ KeyId, Message, Signature: ofDigest.Signature, SigningAlgorithm })
      const { Signature } = await kms.sign({ KeyId, Message, MessageType: 'RAW', SigningAlgorithm })
      await kms.verify({ ...digest, MessageType: 'DIGEST', Signature, SigningAlgorithm })
    },
  )

  it.each(pairs)('by %s with %s is invalid when anything is altered', async (name, SigningAlgorithm) => {
    const { KeyId } = keys[name]
    const { Signature } = await kms.sign({ KeyId, Message, SigningAlgorithm })
    const bytes = Buffer.from(Signature!)
    const altered = (index: number) => Buffer.from(bytes.with(index, bytes[index]! ^ 1))
    const damaged = [
      altered(0),
      altered(bytes.length - 1),
      bytes.subarray(0, -1),
      Buffer.concat([bytes, Buffer.alloc(1)]),
      Buffer.alloc(bytes.length),
      Buffer.alloc(1),
      Buffer.alloc(6144, 0x30),
    ]
    const verify = (input: object) =>
      refusal(call(kms, 'Verify', { KeyId, Message, Signature: bytes, SigningAlgorithm, ...input }))
    const outcomes = await Promise.all([
      ...damaged.map(Signature => verify({ Signature })),
      verify({ Message: Buffer.from('another message') }),
    ])
    expect(new Set(outcomes)).toEqual(new Set(['KMSInvalidSignatureException']))
    expect(await verify({})).toBe('no refusal')
  })

  it('is of one key and one algorithm', async () => {
    const SigningAlgorithm = 'RSASSA_PSS_SHA_256'
    const { Signature } = await kms.sign({ ...keys.rsaSigning, Message, SigningAlgorithm })
    for (const other of rsaSigning.filter(algorithm => algorithm !== SigningAlgorithm)) {
      const verification = kms.verify({ ...keys.rsaSigning, Message, Signature, SigningAlgorithm: other })
      expect(await refusal(verification), other).toBe('KMSInvalidSignatureException')
    }
    const second = (await makeKeys(kms, { key: ['ECC_NIST_P256', 'SIGN_VERIFY'] })).key
    const own = await kms.sign({ ...second, Message, SigningAlgorithm: 'ECDSA_SHA_256' })
    const foreign = { Message, Signature: own.Signature, SigningAlgorithm: 'ECDSA_SHA_256' } as const
    await kms.verify({ ...second, ...foreign })
    for (const name of ['p256', 'k256'] as const) {
      expect(await refusal(kms.verify({ ...keys[name], ...foreign }))).toBe('KMSInvalidSignatureException')
    }
  })

  it('of Ed25519 for a digest is refused for a token that would sign something else', async () => {
    const input = { ...keys.ed25519, MessageType: 'DIGEST', SigningAlgorithm: 'ED25519_PH_SHA_512' } as const
    expect(await refusal(kms.sign({ ...input, Message: Buffer.alloc(64) }))).toMatch(/^UnsupportedOperationException: /)
  })
})

describe('a MAC', () => {
  it.each<[Name, MacAlgorithmSpec, number]>([
    ['hmac224', 'HMAC_SHA_224', 28],
    ['hmac256', 'HMAC_SHA_256', 32],
    ['hmac384', 'HMAC_SHA_384', 48],
    ['hmac512', 'HMAC_SHA_512', 64],
  ])('by %s with %s has %s bytes, always the same for a message', async (name, MacAlgorithm, length) => {
    const { KeyId, Arn } = keys[name]
    for (const Message of [Buffer.from([0]), Buffer.alloc(4096, 'm')]) {
      const made = await call(kms, 'GenerateMac', { KeyId, Message, MacAlgorithm })
      expect(made).toEqual({ KeyId: Arn, Mac: anyBytes, MacAlgorithm })
      const Mac = made.Mac as Uint8Array
      expect(Mac).toHaveLength(length)
      expect((await kms.generateMac({ KeyId, Message, MacAlgorithm })).Mac).toEqual(Mac)
      const verified = await call(kms, 'VerifyMac', { KeyId, Message, Mac, MacAlgorithm })
      expect(verified).toEqual({ KeyId: Arn, MacAlgorithm, MacValid: true })
    }
  })

  it('is invalid when anything is altered, cut off or added', async () => {
    const input = { KeyId: keys.hmac256.KeyId, MacAlgorithm: 'HMAC_SHA_256' } as const
    const Mac = Buffer.from((await kms.generateMac({ ...input, Message })).Mac!)
    const verify = (rest: object) => refusal(call(kms, 'VerifyMac', { ...input, Message, Mac, ...rest }))
    const outcomes = await Promise.all([
      ...Array.from(Mac, (byte, i) => verify({ Mac: Buffer.from(Mac.with(i, byte ^ 1)) })),
      verify({ Mac: Mac.subarray(0, -1) }),
      verify({ Mac: Mac.subarray(0, 1) }),
      verify({ Mac: Buffer.concat([Mac, Buffer.alloc(1)]) }),
      verify({ Message: Buffer.from('another message') }),
    ])
    expect(new Set(outcomes)).toEqual(new Set(['KMSInvalidMacException']))
    expect(await verify({})).toBe('no refusal')
  })

  it('is of one key', async () => {
    const other = (await makeKeys(kms, { key: ['HMAC_256', 'GENERATE_VERIFY_MAC'] })).key
    const MacAlgorithm = 'HMAC_SHA_256'
    const { Mac } = await kms.generateMac({ ...other, Message, MacAlgorithm })
    expect(await refusal(kms.verifyMac({ ...keys.hmac256, Message, Mac, MacAlgorithm }))).toBe('KMSInvalidMacException')
  })
})

describe('an RSA ciphertext', () => {
  const external = (key: KeyObject, algorithm: string, plaintext: Uint8Array) =>
    publicEncrypt({ key, oaepHash: algorithm === 'RSAES_OAEP_SHA_1' ? 'sha1' : 'sha256' }, plaintext)

  const rows = (
    [
      ['rsa2048', 256],
      ['rsa3072', 384],
      ['rsa4096', 512],
    ] as const
  ).flatMap(([name, modulus]) => oaep.map(algorithm => [name, algorithm, modulus] as const))

  it.each(rows)(
    'of %s with %s is a plain block, from the gateway or elsewhere',
    async (name, EncryptionAlgorithm, modulus) => {
      const { KeyId, Arn } = keys[name]
      const publicKey = await publicKeyOf(kms, keys[name])
      const longest = modulus - 2 * (EncryptionAlgorithm === 'RSAES_OAEP_SHA_1' ? 20 : 32) - 2
      for (const length of [1, longest]) {
        const Plaintext = Buffer.alloc(length, 'p')
        const encrypted = await call(kms, 'Encrypt', { KeyId, Plaintext, EncryptionAlgorithm })
        expect(encrypted).toEqual({ CiphertextBlob: anyBytes, EncryptionAlgorithm, KeyId: Arn })
        const CiphertextBlob = encrypted.CiphertextBlob as Uint8Array
        expect(CiphertextBlob).toHaveLength(modulus)
        for (const blob of [CiphertextBlob, external(publicKey, EncryptionAlgorithm, Plaintext)]) {
          const decrypted = await call(kms, 'Decrypt', { KeyId, CiphertextBlob: blob, EncryptionAlgorithm })
          expect(decrypted).toEqual({ EncryptionAlgorithm, KeyId: Arn, Plaintext: new Uint8Array(Plaintext) })
        }
      }
    },
  )

  it.each(oaep)('with %s is invalid when it is damaged, of another key or of another hash', async algorithm => {
    const publicKey = await publicKeyOf(kms, keys.rsa2048)
    const block = external(publicKey, algorithm, Buffer.from('text'))
    const otherHash = external(publicKey, oaep.find(name => name !== algorithm)!, Buffer.from('text'))
    const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey
    const pkcs1 = publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_PADDING }, Buffer.from('text'))
    const labelled = publicEncrypt(
      { key: publicKey, oaepHash: algorithm === 'RSAES_OAEP_SHA_1' ? 'sha1' : 'sha256', oaepLabel: Buffer.from('l') },
      Buffer.from('text'),
    )
    const blobs = [
      Buffer.from(block.with(0, block[0]! ^ 1)),
      Buffer.from(block.with(255, block[255]! ^ 1)),
      block.subarray(0, -1),
      Buffer.concat([block, Buffer.alloc(1)]),
      Buffer.concat([Buffer.alloc(1), block]),
      Buffer.alloc(256),
      Buffer.alloc(256, 0xff),
      Buffer.alloc(1),
      otherHash,
      pkcs1,
      labelled,
      external(stranger, algorithm, Buffer.from('text')),
    ]
    const outcomes = await Promise.all(
      blobs.map(CiphertextBlob =>
        refusal(kms.decrypt({ KeyId: keys.rsa2048.KeyId, CiphertextBlob, EncryptionAlgorithm: algorithm })),
      ),
    )
    expect(new Set(outcomes)).toEqual(new Set(['InvalidCiphertextException']))
  })

  it('is re-encrypted to and from a symmetric key, and between RSA keys', async () => {
    const Plaintext = Buffer.from('text')
    const context = { purpose: 'test' }
    const rsa = { KeyId: keys.rsa2048.KeyId, EncryptionAlgorithm: 'RSAES_OAEP_SHA_256' } as const
    const { KeyMetadata } = await kms.describeKey(keys.symmetric)
    const material = KeyMetadata!.CurrentKeyMaterialId

    const inside = await call(kms, 'ReEncrypt', {
      CiphertextBlob: external(await publicKeyOf(kms, keys.rsa2048), rsa.EncryptionAlgorithm, Plaintext),
      SourceKeyId: rsa.KeyId,
      SourceEncryptionAlgorithm: rsa.EncryptionAlgorithm,
      DestinationKeyId: keys.symmetric.KeyId,
      DestinationEncryptionContext: context,
    })
    expect(inside).toEqual({
      CiphertextBlob: anyBytes,
      KeyId: keys.symmetric.Arn,
      SourceKeyId: keys.rsa2048.Arn,
      SourceEncryptionAlgorithm: 'RSAES_OAEP_SHA_256',
      DestinationEncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      DestinationKeyMaterialId: material,
    })
    const back = await call(kms, 'ReEncrypt', {
      CiphertextBlob: inside.CiphertextBlob,
      SourceEncryptionContext: context,
      DestinationKeyId: rsa.KeyId,
      DestinationEncryptionAlgorithm: 'RSAES_OAEP_SHA_1',
    })
    expect(back).toEqual({
      CiphertextBlob: anyBytes,
      KeyId: keys.rsa2048.Arn,
      SourceKeyId: keys.symmetric.Arn,
      SourceEncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      SourceKeyMaterialId: material,
      DestinationEncryptionAlgorithm: 'RSAES_OAEP_SHA_1',
    })
    const { CiphertextBlob } = await kms.reEncrypt({
      CiphertextBlob: back.CiphertextBlob as Uint8Array,
      SourceKeyId: rsa.KeyId,
      SourceEncryptionAlgorithm: 'RSAES_OAEP_SHA_1',
      DestinationKeyId: keys.rsa4096.KeyId,
      DestinationEncryptionAlgorithm: 'RSAES_OAEP_SHA_256',
    })
    const input = { CiphertextBlob, KeyId: keys.rsa4096.KeyId, EncryptionAlgorithm: rsa.EncryptionAlgorithm }
    expect(Buffer.from((await kms.decrypt(input)).Plaintext!)).toEqual(Plaintext)
  })

  it('is not generated for a plaintext that is too long', async () => {
    const Plaintext = Buffer.alloc(191)
    const { CiphertextBlob } = await kms.encrypt({ ...keys.symmetric, Plaintext })
    const reEncryption = kms.reEncrypt({
      CiphertextBlob,
      DestinationKeyId: keys.rsa2048.KeyId,
      DestinationEncryptionAlgorithm: 'RSAES_OAEP_SHA_256',
    })
    expect(await refusal(reEncryption)).toBe(
      'ValidationException: Algorithm RSAES_OAEP_SHA_256 and key spec RSA_2048 cannot encrypt data larger than 190 bytes.',
    )
  })
})

describe('a shared secret', () => {
  it.each<[Name, string, number]>([
    ['p256Agree', 'prime256v1', 32],
    ['p384Agree', 'secp384r1', 48],
    ['p521Agree', 'secp521r1', 66],
  ])('of %s is the one that the other side computes', async (name, namedCurve, length) => {
    const { KeyId, Arn } = keys[name]
    const ours = await publicKeyOf(kms, keys[name])
    for (let i = 0; i < 5; i++) {
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve })
      const derived = await call(kms, 'DeriveSharedSecret', {
        KeyId,
        KeyAgreementAlgorithm: 'ECDH',
        PublicKey: publicKey.export({ format: 'der', type: 'spki' }),
      })
      const secret = diffieHellman({ publicKey: ours, privateKey })
      expect(secret).toHaveLength(length)
      expect(derived).toEqual({
        KeyAgreementAlgorithm: 'ECDH',
        KeyId: Arn,
        KeyOrigin: 'AWS_KMS',
        SharedSecret: new Uint8Array(secret),
      })
    }
  })

  it('is the same for two keys of the gateway, whichever one derives it', async () => {
    const { one, two } = await makeKeys(kms, {
      one: ['ECC_NIST_P256', 'KEY_AGREEMENT'],
      two: ['ECC_NIST_P256', 'KEY_AGREEMENT'],
    })
    const derive = async (own: TestKey, other: TestKey) => {
      const { PublicKey } = await kms.getPublicKey(other)
      return (await kms.deriveSharedSecret({ ...own, PublicKey, KeyAgreementAlgorithm: 'ECDH' })).SharedSecret
    }
    expect(await derive(one, two)).toEqual(await derive(two, one))
  })
})

describe('a data key pair', () => {
  const specs: readonly DataKeyPairSpec[] = [
    'RSA_2048',
    'RSA_3072',
    'RSA_4096',
    'ECC_NIST_P256',
    'ECC_NIST_P384',
    'ECC_NIST_P521',
    'ECC_SECG_P256K1',
    'ECC_NIST_EDWARDS25519',
  ]
  const EncryptionContext = { purpose: 'pair' }

  const pkcs8 = (der: unknown) =>
    createPrivateKey({ key: Buffer.from(der as Uint8Array), format: 'der', type: 'pkcs8' })

  const belongTogether = (publicKey: KeyObject, privateKey: KeyObject) => {
    if (publicKey.asymmetricKeyType === 'ed25519') {
      return externallyVerify(null, Message, publicKey, externallySign(null, Message, privateKey))
    }
    if (publicKey.asymmetricKeyType === 'rsa') {
      return privateDecrypt(privateKey, publicEncrypt(publicKey, Message)).equals(Message)
    }
    const own = generateKeyPairSync('ec', { namedCurve: publicKey.asymmetricKeyDetails!.namedCurve! })
    const [ours, theirs] = [
      diffieHellman({ publicKey, privateKey: own.privateKey }),
      diffieHellman({ publicKey: own.publicKey, privateKey }),
    ]
    return ours.equals(theirs)
  }

  it.each(specs)('of %s works outside, and its private key comes back from its ciphertext', async KeyPairSpec => {
    const { KeyId, Arn } = keys.symmetric
    const made = await call(kms, 'GenerateDataKeyPair', { KeyId, KeyPairSpec, EncryptionContext })
    expect(made).toEqual({
      KeyId: Arn,
      KeyMaterialId: expect.stringMatching(/^[0-9a-f]{64}$/),
      KeyPairSpec,
      PrivateKeyCiphertextBlob: anyBytes,
      PrivateKeyPlaintext: anyBytes,
      PublicKey: anyBytes,
    })
    expect(belongTogether(spki(made.PublicKey as Uint8Array), pkcs8(made.PrivateKeyPlaintext))).toBe(true)
    const CiphertextBlob = made.PrivateKeyCiphertextBlob as Uint8Array
    const { Plaintext } = await kms.decrypt({ CiphertextBlob, EncryptionContext })
    expect(Plaintext).toEqual(made.PrivateKeyPlaintext)
    expect(await refusal(kms.decrypt({ CiphertextBlob }))).toBe('InvalidCiphertextException')
  })

  it.each(specs)('of %s may come without its plaintext', async KeyPairSpec => {
    const { KeyId, Arn } = keys.symmetric
    const input = { KeyId, KeyPairSpec, EncryptionContext }
    const made = await call(kms, 'GenerateDataKeyPairWithoutPlaintext', input)
    expect(made).toEqual({
      KeyId: Arn,
      KeyMaterialId: expect.stringMatching(/^[0-9a-f]{64}$/),
      KeyPairSpec,
      PrivateKeyCiphertextBlob: anyBytes,
      PublicKey: anyBytes,
    })
    const CiphertextBlob = made.PrivateKeyCiphertextBlob as Uint8Array
    const { Plaintext } = await kms.decrypt({ CiphertextBlob, EncryptionContext })
    expect(belongTogether(spki(made.PublicKey as Uint8Array), pkcs8(Plaintext))).toBe(true)
  })

  it('is a new one each time', async () => {
    const input = { KeyId: keys.symmetric.KeyId, KeyPairSpec: 'ECC_NIST_P256' } as const
    const made = await Promise.all(Array.from({ length: 5 }, () => kms.generateDataKeyPair(input)))
    expect(new Set(made.map(({ PublicKey }) => Buffer.from(PublicKey!).toString('hex'))).size).toBe(5)
  })
})

describe('the audit record', () => {
  it('of each of these operations has its parameters, without messages and keys', async () => {
    const secret = 'audit-secret-audit-secret-audit-'
    const Message = Buffer.from(secret)
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
    const PublicKey = publicKey.export({ format: 'der', type: 'spki' })
    const { Signature } = await kms.sign({ ...keys.p256, Message, SigningAlgorithm: 'ECDSA_SHA_256' })
    const { Mac } = await kms.generateMac({ ...keys.hmac256, Message, MacAlgorithm: 'HMAC_SHA_256' })
    const rows: readonly [OperationName, Name, object, object][] = [
      [
        'Sign',
        'p256',
        { Message, MessageType: 'DIGEST', SigningAlgorithm: 'ECDSA_SHA_256' },
        { messageType: 'DIGEST', signingAlgorithm: 'ECDSA_SHA_256' },
      ],
      [
        'Verify',
        'p256',
        { Message, Signature, SigningAlgorithm: 'ECDSA_SHA_256' },
        { signingAlgorithm: 'ECDSA_SHA_256' },
      ],
      ['GenerateMac', 'hmac256', { Message, MacAlgorithm: 'HMAC_SHA_256' }, { macAlgorithm: 'HMAC_SHA_256' }],
      ['VerifyMac', 'hmac256', { Message, Mac, MacAlgorithm: 'HMAC_SHA_256' }, { macAlgorithm: 'HMAC_SHA_256' }],
      [
        'DeriveSharedSecret',
        'p256Agree',
        { PublicKey, KeyAgreementAlgorithm: 'ECDH' },
        { keyAgreementAlgorithm: 'ECDH' },
      ],
      [
        'Encrypt',
        'rsa2048',
        { Plaintext: Message, EncryptionAlgorithm: 'RSAES_OAEP_SHA_1' },
        { encryptionAlgorithm: 'RSAES_OAEP_SHA_1' },
      ],
      ['GetPublicKey', 'p256', {}, {}],
      ['GenerateDataKeyPair', 'symmetric', { KeyPairSpec: 'ECC_NIST_P256' }, { keyPairSpec: 'ECC_NIST_P256' }],
    ]
    for (const [operation, name, input, expected] of rows) {
      const { KeyId, Arn } = keys[name]
      await call(kms, operation, { KeyId, ...input })
      const record = gateway.records().at(-1)!
      expect(record).toMatchObject({
        eventName: operation,
        readOnly: true,
        requestParameters: { keyId: KeyId, ...expected },
        responseElements: null,
        resources: [{ ARN: Arn }],
      })
      expect(Object.keys(record.requestParameters!).sort()).toEqual(['keyId', ...Object.keys(expected)].sort())
      expect(JSON.stringify(record)).not.toContain(Message.toString('base64'))
      expect(JSON.stringify(record)).not.toContain(secret)
    }
  })
})
