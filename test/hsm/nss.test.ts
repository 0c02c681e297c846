/** A second token from another vendor: SoftHSM is not representative of all tokens. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { reportPage } from '../../src/cli/hsm-report.ts'
import { inspectHsm } from '../../src/hsm/doctor/inspect.ts'
import { profileOf } from '../../src/hsm/profiles/find-profile.ts'
import { connectHsm } from '../../src/hsm/registry.ts'
import { hsmContract, newMaterial } from '../contracts/hsm.ts'
import { newKeyBytes } from '../contracts/hsm-imports.ts'
import { thorough } from '../thorough.ts'
import { createNss } from './nss.ts'
import type { SoftHsm } from './softhsm.ts'

hsmContract(
  'NSS softokn behind two workers',
  async () => {
    const nss = createNss()
    const hsm = await connectHsm(nss.options)
    return {
      hsm,
      async dispose() {
        await hsm.close()
        nss.remove()
      },
    }
  },
  {
    local: 'its CKA_LOCAL is false of every key, and anybody may write it',
    ECC_SECG_P256K1: 'no secp256k1',
    ECC_NIST_EDWARDS25519: 'no Ed25519',
    ML_DSA_44: 'no ML-DSA',
    ML_DSA_65: 'no ML-DSA',
    ML_DSA_87: 'no ML-DSA',
  },
  { imports: thorough },
)

describe('NSS softokn', () => {
  let nss: SoftHsm

  beforeAll(() => {
    nss = createNss()
  })
  afterAll(() => nss.remove())

  it('unwraps imported keys with CBC, too', async () => {
    const profile = join(nss.directory, 'profile.yaml')
    writeFileSync(profile, 'name: cbc\nbasedOn: nss\nimportMethods: [ECDH]\nkeyWrapMechanisms: [0x1085]\n')
    const hsm = await connectHsm({ ...nss.options, profile, workers: 1 })
    const key = { object: newMaterial(), spec: 'RSA_2048', usage: 'SIGN_VERIFY' } as const
    const created = await hsm.importKey(key.object, key.spec, key.usage, 'imported', newKeyBytes(key.spec))
    expect(await hsm.inspectKey({ ...key, ...created, imported: true }, 'quick')).toEqual({})
    await hsm.close()
  })

  it('lets any key wrap any other, which a worker finds out before a key is created that could be', async () => {
    const profile = join(nss.directory, 'trusting.yaml')
    writeFileSync(profile, 'name: trusting\nbasedOn: nss\nlacks: {}\n')
    const hsm = await connectHsm({ ...nss.options, profile, workers: 1, transfersTo: ['another'] })
    expect(hsm.whyUnsupported('WrapWithTrusted')).toBe('any key may wrap any other')
    const creation = hsm.generateKey(newMaterial(), 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'multi-Region', true)
    await expect(creation).rejects.toMatchObject({ code: 'UnsupportedOperation' })
    expect(await hsm.objects()).toHaveLength(1)
    await hsm.close()
  })

  it.runIf(thorough)('gets its parameters, and supports what its profile does not exclude', async () => {
    const report = await inspectHsm(nss.options)
    const { survey, problems } = report
    expect(problems).toEqual([])
    expect(reportPage('nss', report)).toMatch(/CKA_LOCAL +unreliable: custody checks ignore it/)
    expect(survey).toMatchObject({
      gcm: { iv: 'caller' },
      oaepHashes: ['sha1', 'sha256'],
      supportsCkaCopyable: true,
      supportsCkaSignRecover: true,
      reportsCkaLocal: false,
      noWrapWithTrusted: 'any key may wrap any other',
      invalidCiphertextCodes: ['CKR_ARGUMENTS_BAD'],
      forgeable: false,
    })
    const {
      lacks: { WrapWithTrusted: _, ...lacks },
      invalidSignatureCodes,
    } = profileOf('nss')
    expect(invalidSignatureCodes).toEqual(expect.arrayContaining([...survey!.invalidSignatureCodes]))
    expect(Object.keys(survey!.lacks).sort()).toEqual(
      ['ML_KEM_512', 'ML_KEM_768', 'ML_KEM_1024', 'SM2', ...Object.keys(lacks)].sort(),
    )
  })
})
