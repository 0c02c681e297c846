import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mostSessions } from '../../../src/hsm/doctor/findings.ts'
import { inspectHsm } from '../../../src/hsm/doctor/inspect.ts'
import { writtenProfile } from '../../../src/hsm/doctor/written-profile.ts'
import { profileOf } from '../../../src/hsm/profiles/find-profile.ts'
import type { HsmOptions } from '../../../src/hsm/registry.ts'
import { FaultHsm } from '../../fault-hsm/fault-hsm.ts'
import { cases } from '../../thorough.ts'
import { createSoftHsm, noPkcs11Library, type SoftHsm } from '../softhsm.ts'

let softHsm: SoftHsm
let fault: FaultHsm
/** The same token behind the fault HSM: most tests remove RSA, whose keys take seconds to generate. */
let faulty: HsmOptions
beforeAll(async () => {
  softHsm = await createSoftHsm()
  fault = new FaultHsm(softHsm.directory)
  const environment = { ...softHsm.options.environment, ...fault.environment() }
  faulty = { ...softHsm.options, library: fault.library, environment }
})
afterAll(() => softHsm.remove())

describe('inspectHsm', () => {
  it('reports what a working HSM supports', async () => {
    const report = await inspectHsm(softHsm.options)
    const way = { method: 'ECDH', unwrapping: 0x210a }
    expect(report).toMatchObject({
      library: { manufacturer: 'SoftHSM', cryptokiVersion: '2.40' },
      token: { label: 'strongroom-test', model: 'SoftHSM v2' },
      pin: 'accepted',
      keys: 0,
      survey: {
        gcm: { iv: 'caller', mechanism: 0x1087 },
        oaepHashes: ['sha1'],
        supportsCkaModifiable: true,
        supportsCkaCopyable: true,
        supportsCkaSignRecover: true,
        imports: [
          { spec: 'SYMMETRIC_DEFAULT', type: 'secret', way, unwraps: ['RSAES_OAEP', 'RSA_AES_KEY_WRAP'] },
          { spec: 'HMAC_256', type: 'secret', way, unwraps: ['RSAES_OAEP', 'RSA_AES_KEY_WRAP'] },
          { spec: 'RSA_2048', type: 'RSA', way, unwraps: ['RSA_AES_KEY_WRAP'] },
          { spec: 'ECC_NIST_P256', type: 'EC', way, unwraps: ['RSAES_OAEP', 'RSA_AES_KEY_WRAP'] },
          { spec: 'ECC_NIST_EDWARDS25519', type: 'Ed25519', unwraps: [] },
        ],
        reportsCkaLocal: true,
        invalidCiphertextCodes: ['CKR_GENERAL_ERROR'],
        invalidSignatureCodes: [],
        forgeable: false,
        longestAad: 8230,
        sessions: mostSessions,
      },
      problems: [],
    })
    expect(Object.keys(report.survey!.lacks)).toEqual([
      'ED25519_PH_SHA_512',
      'ML_DSA_44',
      'ML_DSA_65',
      'ML_DSA_87',
      'ML_KEM_512',
      'ML_KEM_768',
      'ML_KEM_1024',
      'SM2',
    ])
    for (const { works, latency } of report.survey!.trials.filter(({ works }) => works.length > 0)) {
      expect(latency!.p50, works.join()).toBeGreaterThan(0)
      expect(latency!.p99, works.join()).toBeGreaterThanOrEqual(latency!.p50)
    }
    expect(report.tokens).toEqual([report.token])
    expect(report.mechanisms).toContain('CKM_AES_GCM')
  })

  it('relies on its tests, whatever the mechanism list or the profile say', async () => {
    fault.set(
      'remove-mechanism CKM_RSA_PKCS_KEY_PAIR_GEN',
      'claim-mechanism CKM_SHA384_HMAC',
      'hide-mechanism CKM_SHA512_HMAC',
      'fail C_DeriveKey CKR_FUNCTION_FAILED',
      'gcm-iv append16',
    )
    const { survey, problems } = await inspectHsm({ ...faulty, profile: 'cloudhsm' })
    expect(problems).toEqual([])
    expect(survey!.lacks).toMatchObject({
      RSA_2048: 'the HSM has no mechanism to generate such keys',
      HMAC_384: 'C_SignInit: CKR_MECHANISM_INVALID (0x70)',
      HMAC_512: 'the HSM has no mechanism 0x271',
      ECDH: 'C_DeriveKey: CKR_FUNCTION_FAILED (0x6)',
    })
    // The profile says that there is no EdDSA.
    expect(survey!.lacks).not.toHaveProperty('ECC_NIST_EDWARDS25519')
    writeFileSync(join(softHsm.directory, 'ours.yaml'), writtenProfile('ours', 'cloudhsm', survey!))
    expect(profileOf(join(softHsm.directory, 'ours.yaml'))).toMatchObject({
      name: 'ours',
      gcmIv: 'append16',
      gcmMechanism: 0x1087,
      throttlingCodes: ['CKR_FUNCTION_FAILED'],
      lacks: survey!.lacks,
      // As without ECDH and RSA no key could be imported.
      keyWrapMechanisms: [0x8000_216f],
    })
  })

  it.each(
    cases(
      [
        ['in software', [], 'synchronous', false, 2],
        ['whose C_*Init is a round trip', ['delay C_*Init 3ms', 'delay C_Encrypt 3ms'], 'asynchronous', true, 8],
        ['behind a network', ['delay C_Encrypt 3ms'], 'asynchronous', false, 2],
        [
          'without AES-GCM, behind a network',
          ['remove-mechanism CKM_AES_GCM', 'delay C_Sign 3ms'],
          'asynchronous',
          false,
          2,
        ],
      ],
      2,
    ),
  )(
    'recommends a mode and the number of workers for an HSM %s',
    async (_what, rules, mode, initIsRoundTrip, workers) => {
      fault.set('remove-mechanism CKM_RSA_PKCS_KEY_PAIR_GEN', 'remove-mechanism CKM_EC_KEY_PAIR_GEN', ...rules)
      const profile = join(softHsm.directory, 'several.yaml')
      writeFileSync(profile, 'name: several\nbasedOn: softhsm2\nsingleProcess: false\n')
      const { survey } = await inspectHsm({ ...faulty, profile })
      expect(survey!.recommendation).toEqual({ mode, initIsRoundTrip, workers })
      writeFileSync(join(softHsm.directory, 'timed.yaml'), writtenProfile('timed', profile, survey!))
      expect(profileOf(join(softHsm.directory, 'timed.yaml'))).toMatchObject({ mode, initIsRoundTrip })
    },
  )

  it('recommends one worker and a spare for a single-process library', async () => {
    fault.set('remove-mechanism CKM_RSA_PKCS_KEY_PAIR_GEN', 'delay C_*Init 3ms', 'delay C_Encrypt 3ms')
    const { survey } = await inspectHsm(faulty)
    expect(survey!.recommendation).toEqual({ mode: 'asynchronous', initIsRoundTrip: true, workers: 2 })
  })

  it('keeps nothing on the token', async () => {
    fault.set('remove-mechanism CKM_RSA_PKCS_KEY_PAIR_GEN')
    const before = readdirSync(softHsm.directory, { recursive: true }).filter(name => String(name).endsWith('.object'))
    await inspectHsm(faulty)
    const after = readdirSync(softHsm.directory, { recursive: true }).filter(name => String(name).endsWith('.object'))
    expect(after).toEqual(before)
  })

  it('reports that an HSM without AES-GCM is unusable, and what else it supports', async () => {
    fault.set('remove-mechanism CKM_AES_GCM', 'remove-mechanism CKM_RSA_PKCS_KEY_PAIR_GEN')
    const { survey, problems } = await inspectHsm(faulty)
    expect(problems).toEqual(['AES-GCM, which the gateway needs, does not work: none of its known forms works'])
    expect(survey!.trials.find(({ spec }) => spec === 'HMAC_256')!.works).toEqual(['HMAC_SHA_256'])
  })

  it('reports its findings if the HSM is lost meanwhile', async () => {
    fault.set('fail C_DeriveKey CKR_DEVICE_ERROR', 'remove-mechanism CKM_RSA_PKCS_KEY_PAIR_GEN')
    const { survey, pin, problems } = await inspectHsm(faulty)
    expect({ survey, pin, problems }).toEqual({
      survey: undefined,
      pin: 'accepted',
      problems: ['C_DeriveKey: CKR_DEVICE_ERROR (0x30)'],
    })
  })

  it('does not try a PIN after a failed attempt, unless forced', async () => {
    writeFileSync(softHsm.pinFile, 'wrong-pin')
    expect(await inspectHsm(softHsm.options)).toMatchObject({
      pin: 'refused',
      problems: [`the token refused the PIN in ${softHsm.pinFile}`],
    })
    writeFileSync(softHsm.pinFile, 'test-user-pin')
    fault.set('remove-mechanism CKM_RSA_PKCS_KEY_PAIR_GEN')
    expect((await inspectHsm(faulty)).pin).toBe('not tried')
    expect((await inspectHsm({ ...faulty, force: true })).pin).toBe('accepted')
    expect((await inspectHsm(faulty)).pin).toBe('accepted')
  })

  it.each([
    ['the library is not there', { library: '/nowhere/lib.so' }, /No such file/],
    ['the library is no PKCS#11 module', { library: noPkcs11Library }, /C_GetFunctionList/],
    ['the token is not there', { tokenLabel: 'absent' }, /no token with label "absent"/],
    ['the PIN file is not there', { pinFile: '/nowhere/pin' }, /ENOENT/],
  ])('reports a problem when %s', async (_what, options, problem) => {
    const { problems } = await inspectHsm({ ...softHsm.options, ...options })
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatch(problem)
  })
})
