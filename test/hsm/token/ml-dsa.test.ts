import { createPublicKey, generateKeyPairSync, hash, sign, verify } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Hsm } from '../../../src/hsm/hsm.ts'
import { connectHsm } from '../../../src/hsm/registry.ts'
import { type HsmUnderTest, hsmContract, newMaterial } from '../../contracts/hsm.ts'
import { createKryoptic, kryopticLibrary } from '../kryoptic.ts'
import { bytes, expectOutcomes, vectors } from '../vectors.ts'

/** FIPS 204, table 2: bytes of a signature; with the 22 bytes around it (RFC 9881), those of a public key. */
const specs = [
  ['ML_DSA_44', 2420, 1334],
  ['ML_DSA_65', 3309, 1974],
  ['ML_DSA_87', 4627, 2614],
] as const

async function openKryoptic(): Promise<HsmUnderTest> {
  const kryoptic = await createKryoptic(kryopticLibrary!)
  const hsm = await connectHsm(kryoptic.options)
  return {
    hsm,
    async dispose() {
      await hsm.close()
      kryoptic.remove()
    },
  }
}

if (kryopticLibrary !== undefined) {
  hsmContract('Kryoptic behind a worker', openKryoptic, { ECC_SECG_P256K1: 'no secp256k1' })
}

const algorithm = 'ML_DSA_SHAKE_256'
const message = Buffer.alloc(4096, 'm')

describe.skipIf(kryopticLibrary === undefined).each(specs)(
  '%s on a token',
  (spec, signatureLength, publicKeyLength) => {
    let hsm: Hsm
    let dispose: () => Promise<void>

    beforeAll(async () => {
      const underTest = await openKryoptic()
      hsm = underTest.hsm
      dispose = () => underTest.dispose()
    })
    afterAll(() => dispose())

    it('signs what OpenSSL and the token verify, with a key that is not extractable', async () => {
      const object = newMaterial()
      const { custody, publicKey } = await hsm.generateKey(object, spec, 'SIGN_VERIFY', 'a key')
      expect(custody).toEqual({
        sensitive: true,
        extractable: false,
        alwaysSensitive: true,
        neverExtractable: true,
        local: true,
      })
      expect(publicKey).toHaveLength(publicKeyLength)
      const key = { object, spec, publicKey }
      const signature = await hsm.sign(key, algorithm, 'RAW', message)
      expect(signature).toHaveLength(signatureLength)
      const external = createPublicKey({ key: Buffer.from(publicKey!), format: 'der', type: 'spki' })
      expect(verify(null, message, external, signature)).toBe(true)
      expect(await hsm.verify(key, algorithm, 'RAW', message, signature)).toBe(true)
      expect(await hsm.verify(key, algorithm, 'RAW', message.subarray(1), signature)).toBe(false)
      for (const wrong of [signature.subarray(1), Buffer.concat([signature, Buffer.alloc(1)]), Buffer.alloc(1)]) {
        expect(await hsm.verify(key, algorithm, 'RAW', message, wrong)).toBe(false)
      }
    })

    it('verifies what OpenSSL signs', async () => {
      const pair = generateKeyPairSync(spec.toLowerCase().replaceAll('_', '-') as 'ml-dsa-44')
      const publicKey = pair.publicKey.export({ format: 'der', type: 'spki' })
      const key = { object: newMaterial(), spec, publicKey }
      const signature = sign(null, message, pair.privateKey)
      expect(await hsm.verify(key, algorithm, 'RAW', message, signature)).toBe(true)
      expect(await hsm.verify(key, algorithm, 'RAW', Buffer.from('another'), signature)).toBe(false)
    })

    it('verifies the published signatures correctly', async () => {
      await expectOutcomes(
        vectors<'publicKeyDer' | 'msg' | 'sig'>(`ml-dsa/${spec.slice(-2)}`),
        ({ result }) => String(result === 'valid'),
        async ({ publicKeyDer, msg, sig }) => {
          const key = { object: hash('sha256', publicKeyDer), spec, publicKey: bytes(publicKeyDer) }
          return String(await hsm.verify(key, algorithm, 'RAW', bytes(msg), bytes(sig)))
        },
      )
    })
  },
)
