import { createPrivateKey, createPublicKey, decapsulate, encapsulate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { inspectHsm } from '../../../src/hsm/doctor/inspect.ts'
import type { Hsm } from '../../../src/hsm/hsm.ts'
import { connectHsm } from '../../../src/hsm/registry.ts'
import { lacksOfAll } from '../../../src/model/keys/ability.ts'
import { newMaterial } from '../../contracts/hsm.ts'
import { createKryoptic, kryopticLibrary } from '../kryoptic.ts'
import type { SoftHsm } from '../softhsm.ts'

/** FIPS 203, table 3: bytes of a public key, with the 22 bytes around it, and of a ciphertext. */
const specs = [
  ['ML_KEM_512', 822, 768],
  ['ML_KEM_768', 1206, 1088],
  ['ML_KEM_1024', 1590, 1568],
] as const

describe.skipIf(kryopticLibrary === undefined)('a token with ML-KEM', () => {
  let kryoptic: SoftHsm
  let hsm: Hsm

  beforeAll(async () => {
    kryoptic = await createKryoptic(kryopticLibrary!)
    hsm = await connectHsm(kryoptic.options)
  })
  afterAll(async () => {
    await hsm?.close()
    kryoptic?.remove()
  })

  it.each(specs)('generates working data key pairs of %s, and stores nothing of them', async (spec, length, sealed) => {
    const before = await hsm.objects()
    const { publicKey, privateKey } = await hsm.generateKeyPair(spec)
    expect(publicKey).toHaveLength(length)
    const { sharedKey, ciphertext } = encapsulate(
      createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' }),
    )
    expect(ciphertext).toHaveLength(sealed)
    const own = createPrivateKey({ key: Buffer.from(privateKey), format: 'der', type: 'pkcs8' })
    expect(decapsulate(own, ciphertext)).toEqual(sharedKey)
    expect(await hsm.objects()).toEqual(before)
  })

  it.each(specs)('generates no key of %s, which could not be used', async spec => {
    await expect(hsm.generateKey(newMaterial(), spec, 'ENCAPSULATE_DECAPSULATE', 'none')).rejects.toMatchObject({
      code: 'UnsupportedOperation',
      message: `Key usage ENCAPSULATE_DECAPSULATE of key spec ${spec} is not supported: ${lacksOfAll.ML_KEM}.`,
    })
  })

  it('supports the pairs according to doctor', async () => {
    const { survey } = await inspectHsm(kryoptic.options)
    expect(survey!.lacks.ML_KEM).toBe(lacksOfAll.ML_KEM)
    for (const [spec] of specs) expect(survey!.lacks).not.toHaveProperty(spec)
  })
})
