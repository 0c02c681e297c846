import { execFile } from 'node:child_process'
import { constants, createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { KeyUsageType, SigningAlgorithmSpec } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Failure } from '../../../src/errors.ts'
import type { Hsm } from '../../../src/hsm/hsm.ts'
import { connectHsm } from '../../../src/hsm/registry.ts'
import { keyMechanisms } from '../../../src/hsm/token/mechanisms.ts'
import { lacksOfAll, whyUnsupportedAnywhere } from '../../../src/model/keys/ability.ts'
import { keySpecs, type SupportedKeySpec } from '../../../src/model/keys/key-spec.ts'
import { signingAlgorithms } from '../../../src/model/keys/signing-algorithm.ts'
import { newMaterial } from '../../contracts/hsm.ts'
import { createSoftHsm, type SoftHsm } from '../softhsm.ts'

let softHsm: SoftHsm
/** One token, with public-key operations in the HSM or in the gateway. */
const hsms: Partial<Record<'hsm' | 'gateway' | 'strict' | 'strictGateway', Hsm>> = {}

beforeAll(async () => {
  softHsm = await createSoftHsm()
  const options = { ...softHsm.options, workers: 1, callTimeout: 10_000 }
  hsms.hsm = await connectHsm(options)
  hsms.gateway = await connectHsm({ ...options, publicKeyOperations: 'gateway' })
  hsms.strict = await connectHsm({ ...options, allowSoftwareFallback: false })
  hsms.strictGateway = await connectHsm({ ...options, allowSoftwareFallback: false, publicKeyOperations: 'gateway' })
})
afterAll(async () => {
  await Promise.all(Object.values(hsms).map(hsm => hsm.close()))
  softHsm.remove()
})

async function refusal(call: Promise<unknown>): Promise<Failure> {
  return call.then(
    () => expect.fail('The call was not refused.'),
    error => error as Failure,
  )
}

const specs = Object.keys(keySpecs) as SupportedKeySpec[]
/** Specs that SoftHSM has keys of, with each usage. */
const kinds = specs
  .filter(spec => whyUnsupportedAnywhere(spec) === undefined && !spec.startsWith('ML_'))
  .flatMap(spec => keySpecs[spec].usages.map(usage => [spec, usage] as const))

async function attributesOnToken(): Promise<readonly { readonly id: string; readonly flags: readonly string[] }[]> {
  const { library, tokenLabel, pinFile, environment } = softHsm.options
  const script = join(import.meta.dirname, 'key-attributes.ts')
  const { stdout } = await promisify(execFile)(process.execPath, [script, library, tokenLabel!, pinFile!], {
    env: environment,
  })
  return JSON.parse(stdout)
}

describe('a key', () => {
  const ownUsage: Readonly<Record<string, (isPair: boolean) => readonly string[]>> = {
    ENCRYPT_DECRYPT: isPair => (isPair ? ['DECRYPT'] : ['ENCRYPT', 'DECRYPT']),
    SIGN_VERIFY: () => ['SIGN'],
    GENERATE_VERIFY_MAC: () => ['SIGN', 'VERIFY'],
    KEY_AGREEMENT: () => ['DERIVE'],
  }

  it('of every spec and usage is not extractable and limited to its usage, as read by another program', async () => {
    const materials = kinds.map(kind => [newMaterial(), ...kind] as const)
    for (const [object, spec, usage] of materials) await hsms.hsm!.generateKey(object, spec, usage, 'a key')
    const custody = ['TOKEN', 'PRIVATE', 'SENSITIVE', 'ALWAYS_SENSITIVE', 'NEVER_EXTRACTABLE', 'LOCAL']
    const found = new Map((await attributesOnToken()).map(({ id, flags }) => [id, flags]))
    // Public keys are not on the token, but in storage.
    expect(found.size).toBe(kinds.length)
    for (const [object, spec, usage] of materials) {
      const isPair = keySpecs[spec].type === 'asymmetric'
      // SoftHSM's RSA keys are copies, which may be copied again.
      const copyable = spec.startsWith('RSA') ? ['COPYABLE'] : []
      const flags = [...custody, ...ownUsage[usage]!(isPair), ...copyable]
      expect([spec, usage, found.get(object)]).toEqual([spec, usage, flags])
    }
    await Promise.all(materials.map(([object]) => hsms.hsm!.destroyKey(object)))
  }, 60_000)

  it.each<[SupportedKeySpec, KeyUsageType, string]>([
    ['ML_DSA_44', 'SIGN_VERIFY', ' by this HSM: no ML-DSA'],
    ['ML_DSA_87', 'SIGN_VERIFY', ' by this HSM: no ML-DSA'],
    ['SM2', 'ENCRYPT_DECRYPT', ': PKCS#11 has no mechanisms for it'],
  ])('of %s for %s is refused, with the reason', async (spec, usage, reason) => {
    const failure = await refusal(hsms.hsm!.generateKey(newMaterial(), spec, usage, 'none'))
    expect(`${failure.code}: ${failure.message}`).toBe(
      `UnsupportedOperation: Key spec ${spec} is not supported${reason}.`,
    )
  })

  it.each(['ML_KEM_512', 'ML_KEM_768', 'ML_KEM_1024'] as const)('of %s could not be used on any HSM', async spec => {
    const failure = await refusal(hsms.hsm!.generateKey(newMaterial(), spec, 'ENCAPSULATE_DECAPSULATE', 'none'))
    expect(`${failure.code}: ${failure.message}`).toBe(
      `UnsupportedOperation: Key usage ENCAPSULATE_DECAPSULATE of key spec ${spec} is not supported: ${lacksOfAll.ML_KEM}.`,
    )
  })
})

describe('a data key pair', () => {
  const pairs = ['RSA_2048', 'ECC_NIST_P521', 'ECC_SECG_P256K1', 'ECC_NIST_EDWARDS25519'] as const
  it('of any spec leaves no trace on the token', async () => {
    const before = await attributesOnToken()
    for (const spec of pairs) await hsms.hsm!.generateKeyPair(spec)
    expect(await attributesOnToken()).toEqual(before)
  })
})

describe('a signature that OpenSSL makes', () => {
  const rsa = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength })
  const curve = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve })
  const pairs: readonly (readonly [SupportedKeySpec, ReturnType<typeof rsa>])[] = [
    ['RSA_2048', rsa(2048)],
    ['RSA_3072', rsa(3072)],
    ['RSA_4096', rsa(4096)],
    ['ECC_NIST_P256', curve('prime256v1')],
    ['ECC_NIST_P384', curve('secp384r1')],
    ['ECC_NIST_P521', curve('secp521r1')],
    ['ECC_SECG_P256K1', curve('secp256k1')],
    ['ECC_NIST_EDWARDS25519', generateKeyPairSync('ed25519')],
  ]
  const rows = pairs.flatMap(([spec, pair]) =>
    keySpecs[spec].signingAlgorithms
      .filter(algorithm => algorithm !== 'ED25519_PH_SHA_512')
      .map(algorithm => [spec, algorithm, pair] as const),
  )

  function signed(algorithm: SigningAlgorithmSpec, privateKey: KeyObject, message: Buffer): Buffer {
    const { scheme, hash } = signingAlgorithms[algorithm]
    const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    return sign(hash, message, { key: privateKey, ...(scheme === 'PSS' && pss) })
  }

  describe.each(['hsm', 'gateway'] as const)('and the %s verifies', place => {
    it.each(rows)('by %s with %s is valid for its message, and for the digest of it', async (spec, algorithm, pair) => {
      const publicKey = pair.publicKey.export({ format: 'der', type: 'spki' })
      const key = { object: newMaterial(), spec, publicKey }
      const message = Buffer.from('a message')
      const signature = signed(algorithm, pair.privateKey, message)
      const verify = (given: Buffer, type: 'RAW' | 'DIGEST' = 'RAW') =>
        hsms[place]!.verify(key, algorithm, type, given, signature)
      expect(await verify(message)).toBe(true)
      expect(await verify(Buffer.from('another'))).toBe(false)
      const { hash } = signingAlgorithms[algorithm]
      if (hash === undefined) return
      const digestOf = (text: string) => createHash(hash).update(text).digest()
      expect(await verify(digestOf('a message'), 'DIGEST')).toBe(true)
      expect(await verify(digestOf('another'), 'DIGEST')).toBe(false)
    })
  })
})

describe('RSA encryption', () => {
  const algorithms = ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'] as const
  const text = Buffer.from('text')

  it.each(algorithms)('with %s in the gateway is decrypted by the token, and the other way round', async algorithm => {
    const object = newMaterial()
    const { publicKey } = await hsms.hsm!.generateKey(object, 'RSA_2048', 'ENCRYPT_DECRYPT', 'a key')
    const key = { object, spec: 'RSA_2048', publicKey } as const
    for (const place of ['hsm', 'gateway'] as const) {
      const block = await hsms[place]!.encryptRaw(key, algorithm, text)
      expect(Buffer.from(await hsms.hsm!.decryptRaw(key, algorithm, block))).toEqual(text)
    }
  })

  it('that SoftHSM does not support is refused without the software fallback', async () => {
    const object = newMaterial()
    const { publicKey } = await hsms.strict!.generateKey(object, 'RSA_2048', 'ENCRYPT_DECRYPT', 'a key')
    const key = { object, spec: 'RSA_2048', publicKey } as const
    const block = await hsms.hsm!.encryptRaw(key, 'RSAES_OAEP_SHA_256', text)
    for (const hsm of [hsms.strict!, hsms.strictGateway!]) {
      const sha1Block = await hsm.encryptRaw(key, 'RSAES_OAEP_SHA_1', text)
      expect(Buffer.from(await hsm.decryptRaw(key, 'RSAES_OAEP_SHA_1', sha1Block))).toEqual(text)
      for (const call of [
        hsm.decryptRaw(key, 'RSAES_OAEP_SHA_256', block),
        hsm.encryptRaw(key, 'RSAES_OAEP_SHA_256', text),
      ]) {
        expect(await refusal(call)).toMatchObject({
          code: 'UnsupportedOperation',
          message:
            'Algorithm RSAES_OAEP_SHA_256 is not supported by this HSM: it does not support the padding, and allowSoftwareFallback is false.',
        })
      }
    }
  })
})

describe('a message', () => {
  it('that is a representative of ML-DSA is signed and verified nowhere: PKCS#11 v3.2 has no mechanism for it', async () => {
    const { publicKey } = generateKeyPairSync('ml-dsa-44')
    const key = {
      object: newMaterial(),
      spec: 'ML_DSA_44',
      publicKey: publicKey.export({ format: 'der', type: 'spki' }),
    } as const
    const mu = Buffer.alloc(64)
    for (const place of ['hsm', 'gateway'] as const) {
      for (const call of [
        hsms[place]!.sign(key, 'ML_DSA_SHAKE_256', 'EXTERNAL_MU', mu),
        hsms[place]!.verify(key, 'ML_DSA_SHAKE_256', 'EXTERNAL_MU', mu, Buffer.alloc(2420)),
      ]) {
        expect(await refusal(call)).toMatchObject({
          code: 'UnsupportedOperation',
          message: 'Message type EXTERNAL_MU is not supported: PKCS#11 v3.2 has no mechanism for it.',
        })
      }
    }
  })

  it('of Ed25519ph is refused in its own name', async () => {
    const { publicKey } = generateKeyPairSync('ed25519')
    const der = publicKey.export({ format: 'der', type: 'spki' })
    const key = { object: newMaterial(), spec: 'ECC_NIST_EDWARDS25519', publicKey: der } as const
    for (const place of ['hsm', 'gateway'] as const) {
      for (const call of [
        hsms[place]!.sign(key, 'ED25519_PH_SHA_512', 'DIGEST', Buffer.alloc(64)),
        hsms[place]!.verify(key, 'ED25519_PH_SHA_512', 'DIGEST', Buffer.alloc(64), Buffer.alloc(64)),
      ]) {
        expect(await refusal(call)).toMatchObject({
          code: 'UnsupportedOperation',
          message:
            'Algorithm ED25519_PH_SHA_512 is not supported: HSMs accept its parameters but generate plain Ed25519 signatures.',
        })
      }
    }
  })
})

it('every supported key spec has a mechanism', () => {
  const without = specs.filter(spec => keyMechanisms[spec] === undefined)
  expect(without).toEqual(specs.filter(spec => whyUnsupportedAnywhere(spec) !== undefined))
})
