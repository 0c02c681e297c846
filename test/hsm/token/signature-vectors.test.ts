import { createHash, hash } from 'node:crypto'
import type { MessageType, SigningAlgorithmSpec } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Hsm } from '../../../src/hsm/hsm.ts'
import { connectHsm } from '../../../src/hsm/registry.ts'
import { ecdsaFromDer, ecdsaToDer } from '../../../src/hsm/token/ecdsa-signature.ts'
import { keyMechanisms } from '../../../src/hsm/token/mechanisms.ts'
import type { SupportedKeySpec } from '../../../src/model/keys/key-spec.ts'
import { signingAlgorithms } from '../../../src/model/keys/signing-algorithm.ts'
import { createSoftHsm, type SoftHsm } from '../softhsm.ts'
import { bytes, expectOutcomes, type Vector, vectors } from '../vectors.ts'
import { curveKey, importKeys } from './imported-keys.ts'

/** Published signatures, held against what the workers, or the gateway in their place, say of them. */

type SignatureVector = Vector<'publicKeyDer' | 'msg' | 'sig'>

const onToken: readonly (readonly [string, SupportedKeySpec, SigningAlgorithmSpec])[] = [
  ['ecdsa/secp256r1', 'ECC_NIST_P256', 'ECDSA_SHA_256'],
  ['ecdsa/secp384r1', 'ECC_NIST_P384', 'ECDSA_SHA_384'],
  ['ecdsa/secp521r1', 'ECC_NIST_P521', 'ECDSA_SHA_512'],
  ['ecdsa/secp256k1', 'ECC_SECG_P256K1', 'ECDSA_SHA_256'],
  ['rsa-pkcs1/sha256', 'RSA_2048', 'RSASSA_PKCS1_V1_5_SHA_256'],
  ['rsa-pkcs1/sha384', 'RSA_2048', 'RSASSA_PKCS1_V1_5_SHA_384'],
  ['rsa-pkcs1/sha512', 'RSA_2048', 'RSASSA_PKCS1_V1_5_SHA_512'],
  ['rsa-pss/sha256', 'RSA_2048', 'RSASSA_PSS_SHA_256'],
  ['rsa-pss/sha384', 'RSA_2048', 'RSASSA_PSS_SHA_384'],
  ['rsa-pss/sha512', 'RSA_4096', 'RSASSA_PSS_SHA_512'],
  ['ed25519/wycheproof', 'ECC_NIST_EDWARDS25519', 'ED25519_SHA_512'],
]
/** Of these SoftHSM has no keys. */
const outside: typeof onToken = [
  ['ml-dsa/44', 'ML_DSA_44', 'ML_DSA_SHAKE_256'],
  ['ml-dsa/65', 'ML_DSA_65', 'ML_DSA_SHAKE_256'],
  ['ml-dsa/87', 'ML_DSA_87', 'ML_DSA_SHAKE_256'],
]

const secretKeys = vectors<'secretKey' | 'publicKey' | 'msg' | 'sig'>('ed25519/rfc8032').map(vector => ({
  vector,
  key: curveKey('ECC_NIST_EDWARDS25519', 'SIGN_VERIFY', vector.secretKey),
}))

let softHsm: SoftHsm
const hsms: Partial<Record<'hsm' | 'gateway', Hsm>> = {}

beforeAll(async () => {
  softHsm = await createSoftHsm()
  importKeys(
    softHsm,
    secretKeys.map(({ key }) => key),
  )
  for (const publicKeyOperations of ['hsm', 'gateway'] as const) {
    hsms[publicKeyOperations] = await connectHsm({ ...softHsm.options, workers: 1, publicKeyOperations })
  }
})
afterAll(async () => {
  await Promise.all(Object.values(hsms).map(hsm => hsm.close()))
  softHsm.remove()
})

/** "acceptable" is a DigestInfo without its NULL: RFC 8017, section 9.2, note 1, has one, so KMS makes no such signature. */
const expected = ({ result }: SignatureVector) => String(result === 'valid')

async function expectVerdicts(
  hsm: Hsm,
  cases: readonly SignatureVector[],
  spec: SupportedKeySpec,
  algorithm: SigningAlgorithmSpec,
  type: MessageType,
): Promise<void> {
  const { hash: name } = signingAlgorithms[algorithm]
  await expectOutcomes(cases, expected, async ({ publicKeyDer, msg, sig }) => {
    const key = { object: hash('sha256', publicKeyDer), spec, publicKey: bytes(publicKeyDer) }
    const message = type === 'RAW' ? bytes(msg) : createHash(name!).update(bytes(msg)).digest()
    return String(await hsm.verify(key, algorithm, type, message, bytes(sig)))
  })
}

describe('a published signature', () => {
  it.each(onToken)('in %s is valid or not on the token', async (file, spec, algorithm) => {
    await expectVerdicts(hsms.hsm!, vectors(file), spec, algorithm, 'RAW')
  })

  it.each(onToken.filter(([file]) => !file.startsWith('ed25519')))(
    'in %s is the same for the digest of its message',
    async (file, spec, algorithm) => {
      await expectVerdicts(hsms.hsm!, vectors(file), spec, algorithm, 'DIGEST')
      await expectVerdicts(hsms.gateway!, vectors(file), spec, algorithm, 'DIGEST')
    },
  )

  it.each([...onToken, ...outside])('in %s is valid or not in the gateway', async (file, spec, algorithm) => {
    await expectVerdicts(hsms.gateway!, vectors(file), spec, algorithm, 'RAW')
  })

  it.each(onToken.filter(([file]) => file.startsWith('ecdsa')))(
    'in %s is DER to the last byte, or no signature at all',
    async (file, spec) => {
      const { coordinate } = keyMechanisms[spec]!.curve!
      const cases = vectors<'sig'>(file)
      const isReadable = ({ flags, result }: Vector<'sig'>) =>
        result === 'valid' || !flags.some(flag => /Encoding|BerEncoded|InvalidTypes|MissingZero/.test(flag))
      const readable = cases.filter(({ sig }) => ecdsaFromDer(bytes(sig), coordinate) !== undefined)
      for (const { sig } of readable) {
        expect(ecdsaToDer(ecdsaFromDer(bytes(sig), coordinate)!).toString('hex')).toBe(sig)
      }
      expect(readable.every(isReadable)).toBe(true)
      expect(cases.filter(({ result }) => result === 'valid').every(vector => readable.includes(vector))).toBe(true)
    },
  )
})

describe('the token', () => {
  it.each(secretKeys)('signs as RFC 8032 does: $vector.comment', async ({ vector, key }) => {
    const spec = 'ECC_NIST_EDWARDS25519'
    const signature = await hsms.hsm!.sign({ ...key, spec }, 'ED25519_SHA_512', 'RAW', bytes(vector.msg))
    expect(Buffer.from(signature).toString('hex')).toBe(vector.sig)
  })
})
