/** Which key material SoftHSM unwraps itself, which a worker bridges, and what is left of either when it fails. */
import { afterAll, beforeAll } from 'vitest'
import type { Hsm } from '../../../src/hsm/hsm.ts'
import { connectHsm } from '../../../src/hsm/registry.ts'
import { refusals, roundTrips, Wrapping } from '../../contracts/hsm-unwrapping.ts'
import { createSoftHsm, type SoftHsm } from '../softhsm.ts'

let softHsm: SoftHsm
let hsm: Hsm
const wrapping = new Wrapping(() => hsm)

beforeAll(async () => {
  softHsm = await createSoftHsm()
  hsm = await connectHsm({ ...softHsm.options, workers: 1, callTimeout: 20_000 })
  await wrapping.create()
})
afterAll(async () => {
  await hsm?.close()
  softHsm.remove()
})

roundTrips(() => hsm, wrapping, [
  ['HMAC_224', 'GENERATE_VERIFY_MAC'],
  ['HMAC_256', 'GENERATE_VERIFY_MAC'],
  ['HMAC_384', 'GENERATE_VERIFY_MAC'],
  ['RSA_3072', 'SIGN_VERIFY'],
  ['RSA_4096', 'SIGN_VERIFY'],
  ['ECC_NIST_P256', 'SIGN_VERIFY'],
  ['ECC_NIST_P256', 'KEY_AGREEMENT'],
  ['ECC_NIST_P521', 'KEY_AGREEMENT'],
  ['ECC_SECG_P256K1', 'SIGN_VERIFY'],
])

refusals(() => hsm, wrapping, [
  ['RSAES_OAEP_SHA_1', 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'],
  ['RSAES_OAEP_SHA_1', 'HMAC_384', 'GENERATE_VERIFY_MAC'],
  ['RSAES_OAEP_SHA_256', 'HMAC_384', 'GENERATE_VERIFY_MAC'],
  ['RSAES_OAEP_SHA_1', 'ECC_NIST_P256', 'SIGN_VERIFY'],
  ['RSAES_OAEP_SHA_256', 'ECC_NIST_P256', 'KEY_AGREEMENT'],
  ['RSA_AES_KEY_WRAP_SHA_1', 'ECC_NIST_P256', 'KEY_AGREEMENT'],
  ['RSA_AES_KEY_WRAP_SHA_256', 'ECC_NIST_P256', 'SIGN_VERIFY'],
  ['RSA_AES_KEY_WRAP_SHA_1', 'RSA_2048', 'SIGN_VERIFY'],
  ['RSA_AES_KEY_WRAP_SHA_256', 'RSA_2048', 'SIGN_VERIFY'],
])
