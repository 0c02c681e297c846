import { createDecipheriv, createHmac, createPrivateKey, createPublicKey, privateDecrypt } from 'node:crypto'
import { afterAll, beforeAll, describe, it } from 'vitest'
import type { Failure } from '../../../src/errors.ts'
import type { Hsm } from '../../../src/hsm/hsm.ts'
import { connectHsm } from '../../../src/hsm/registry.ts'
import type { SupportedKeySpec } from '../../../src/model/keys/key-spec.ts'
import { checkPeerKey } from '../../../src/model/keys/peer-key.ts'
import { createSoftHsm, type SoftHsm } from '../softhsm.ts'
import { bytes, expectOutcomes, type Vector, vectors } from '../vectors.ts'
import { aesKey, curveKey, hmacKey, type ImportedKey, importKeys, rsaKey } from './imported-keys.ts'

/** Published vectors with secret keys: these are on the token, and the product's own path decides. */

const gcmFile = 'aes-gcm/wycheproof'
const gcm = vectors<'key' | 'iv' | 'aad' | 'msg' | 'ct' | 'tag'>(gcmFile)

const oaepFiles = [
  ['rsa-oaep/sha1', 'RSAES_OAEP_SHA_1', 'sha1'],
  ['rsa-oaep/sha256', 'RSAES_OAEP_SHA_256', 'sha256'],
] as const
const oaep = (file: string) => vectors<'privateKeyPkcs8' | 'msg' | 'ct' | 'label'>(file)
const rsaPrivateKey = (pkcs8: string) => createPrivateKey({ key: bytes(pkcs8), format: 'der', type: 'pkcs8' })

const agreementFiles = [
  ['ecdh/secp256r1', 'ECC_NIST_P256'],
  ['ecdh/secp384r1', 'ECC_NIST_P384'],
  ['ecdh/secp521r1', 'ECC_NIST_P521'],
] as const
const agreement = (file: string) => vectors<'public' | 'private' | 'shared'>(file)

const macFiles = ([224, 256, 384, 512] as const).map(bits => [`hmac/sha${bits}`, `HMAC_SHA_${bits}`, bits] as const)
const macs = (file: string) => vectors<'key' | 'msg' | 'tag'>(file)
const rfcFile = 'hmac/rfc4231'
const rfc4231 = vectors<'key' | 'msg' | 'sha224' | 'sha256' | 'sha384' | 'sha512'>(rfcFile)

let softHsm: SoftHsm
let hsm: Hsm
/** By the file of a vector and the value it gives: the same bytes are a key of several algorithms. */
const keys = new Map<string, ImportedKey>()
const materialOf = (file: string, value: string) => keys.get(`${file} ${value}`)!.object

beforeAll(async () => {
  const add = (file: string, value: string, key: ImportedKey) => keys.set(`${file} ${value}`, key)
  for (const { key } of gcm) add(gcmFile, key, aesKey(key))
  for (const [file] of oaepFiles) {
    for (const { privateKeyPkcs8: value } of oaep(file)) {
      add(file, value, rsaKey('ENCRYPT_DECRYPT', rsaPrivateKey(value).export({ format: 'jwk' })))
    }
  }
  for (const [file, spec] of agreementFiles) {
    for (const { private: value } of agreement(file)) add(file, value, curveKey(spec, 'KEY_AGREEMENT', value))
  }
  for (const [file] of macFiles) for (const { key } of macs(file)) add(file, key, hmacKey(key))
  for (const { key } of rfc4231) add(rfcFile, key, hmacKey(key))
  softHsm = await createSoftHsm()
  importKeys(softHsm, [...keys.values()])
  hsm = await connectHsm({ ...softHsm.options, workers: 1 })
})
afterAll(async () => {
  await hsm?.close()
  softHsm?.remove()
})

/** Hex, or the code of the failure. */
async function hexOf(call: Promise<Uint8Array>): Promise<string> {
  return call.then(
    result => Buffer.from(result).toString('hex'),
    error => (error as Failure).code,
  )
}

describe('AES-GCM', () => {
  it('opens what is whole, and nothing else', async () => {
    await expectOutcomes(
      gcm,
      ({ result, msg }) => (result === 'valid' ? msg : 'InvalidCiphertext'),
      ({ key, iv, ct, tag, aad }) =>
        hexOf(hsm.decrypt(materialOf(gcmFile, key), { iv: bytes(iv), ciphertext: bytes(ct + tag) }, bytes(aad))),
    )
  })

  it('seals what OpenSSL opens', async () => {
    await expectOutcomes(
      gcm.filter(({ result }) => result === 'valid'),
      ({ msg }) => msg,
      async ({ key, msg, aad }) => {
        const { iv, ciphertext } = await hsm.encrypt(materialOf(gcmFile, key), bytes(msg), bytes(aad))
        const decipher = createDecipheriv('aes-256-gcm', bytes(key), iv).setAAD(bytes(aad))
        decipher.setAuthTag(ciphertext.subarray(-16))
        return Buffer.concat([decipher.update(ciphertext.subarray(0, -16)), decipher.final()]).toString('hex')
      },
    )
  })
})

describe.each(oaepFiles)('RSAES-OAEP of %s', (file, algorithm, hashName) => {
  const cases = oaep(file)
  /** KMS has no labels. */
  const expected = ({ result, label, msg }: (typeof cases)[number]) =>
    result === 'valid' && label === '' ? msg : 'InvalidCiphertext'

  it('is decrypted when it is right and has no label', async () => {
    await expectOutcomes(cases, expected, ({ privateKeyPkcs8, ct }) => {
      const key = { object: materialOf(file, privateKeyPkcs8), spec: 'RSA_2048' } as const
      return hexOf(hsm.decryptRaw(key, algorithm, bytes(ct)))
    })
  })

  it('is made so that OpenSSL decrypts it', async () => {
    await expectOutcomes(
      cases.filter(({ result, msg }) => result === 'valid' && msg !== ''),
      ({ msg }) => msg,
      async ({ privateKeyPkcs8, msg }) => {
        const privateKey = rsaPrivateKey(privateKeyPkcs8)
        const publicKey = createPublicKey(privateKey).export({ format: 'der', type: 'spki' })
        const key = { object: materialOf(file, privateKeyPkcs8), spec: 'RSA_2048', publicKey } as const
        const block = await hsm.encryptRaw(key, algorithm, bytes(msg))
        return privateDecrypt({ key: privateKey, oaepHash: hashName }, block).toString('hex')
      },
    )
  })
})

describe.each(agreementFiles)('ECDH of %s', (file, spec) => {
  async function derive(vector: Vector<'public' | 'private'>): Promise<Uint8Array> {
    const peer = bytes(vector.public)
    checkPeerKey(spec, peer)
    return hsm.deriveSharedSecret({ object: materialOf(file, vector.private), spec }, peer)
  }

  /**
   * "acceptable" are compressed points, curves by their parameters and BER that is not DER: refused, as AWS takes named curves
   * and uncompressed points only, and what is read in one way only cannot be misread.
   */
  it('has the shared secret, or refuses the other key', async () => {
    await expectOutcomes(
      agreement(file),
      ({ result, shared }) => (result === 'valid' ? shared : 'Validation'),
      vector => hexOf(derive(vector)),
    )
  })
})

describe.each(macFiles)('HMAC of %s', (file, algorithm, bits) => {
  const spec = `HMAC_${bits}` as SupportedKeySpec
  const isWhole = ({ tag }: Vector<'tag'>) => tag.length === bits / 4
  const mac = (from: string) => (vector: Vector<'key' | 'msg'>) =>
    hexOf(hsm.generateMac({ object: materialOf(from, vector.key), spec }, algorithm, bytes(vector.msg)))
  const macOfOpenSsl = ({ key, msg }: Vector<'key' | 'msg'>) =>
    createHmac(`sha${bits}`, bytes(key)).update(bytes(msg)).digest('hex')

  it('fits when it is right and whole', async () => {
    await expectOutcomes(
      macs(file),
      vector => String(vector.result === 'valid' && isWhole(vector)),
      async ({ key, msg, tag }) => {
        const hmac = { object: materialOf(file, key), spec }
        return String(await hsm.verifyMac(hmac, algorithm, bytes(msg), bytes(tag)))
      },
    )
  })

  it('is the published one, and that of OpenSSL', async () => {
    const valid = macs(file).filter(vector => vector.result === 'valid' && isWhole(vector))
    await expectOutcomes(valid, ({ tag }) => tag, mac(file))
    await expectOutcomes(valid, macOfOpenSsl, mac(file))
    await expectOutcomes(rfc4231, vector => vector[`sha${bits}`], mac(rfcFile))
    await expectOutcomes(rfc4231, macOfOpenSsl, mac(rfcFile))
  })
})
