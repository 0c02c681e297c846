import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { profiles } from '../../../src/hsm/profiles/catalogue.ts'
import { profileOf } from '../../../src/hsm/profiles/find-profile.ts'
import { profileText } from '../../../src/hsm/profiles/profile-file.ts'
import { returnCodes } from '../../../src/hsm/return-codes.ts'

const folder = mkdtempSync(join(tmpdir(), 'strongroom-profiles-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function written(text: string): string {
  const file = join(folder, 'profile.yaml')
  writeFileSync(file, text)
  return file
}

describe('the profiles', () => {
  it('have the name of their file, a title, and valid return codes', () => {
    expect(new Set(profiles.map(({ name }) => name)).size).toBe(profiles.length)
    expect(new Set(profiles.map(({ title }) => title)).size).toBe(profiles.length)
    for (const { invalidCiphertextCodes, invalidSignatureCodes, throttlingCodes } of profiles) {
      for (const code of [...invalidCiphertextCodes, ...invalidSignatureCodes, ...throttlingCodes])
        expect(returnCodes).toHaveProperty(code)
    }
  })

  it('declare HSM-generated IVs only for vendors that generate them', () => {
    const forms = profiles.map(({ name, gcmIv, gcmMechanism }) => [name, gcmIv, gcmMechanism])
    expect(forms.filter(([, form]) => form !== 'caller')).toEqual([['cloudhsm', 'prepend12', 0x8000_1087]])
  })

  it('state the mode of a worker: synchronous for tokens in software only', () => {
    const synchronous = profiles.filter(({ mode }) => mode === 'synchronous').map(({ name }) => name)
    expect(synchronous).toEqual(['kryoptic', 'nss', 'softhsm2'])
  })

  it('list nothing under both lacks and mayLack', () => {
    for (const { lacks, mayLack } of profiles) {
      expect(Object.keys(mayLack).filter(ability => Object.hasOwn(lacks, ability))).toEqual([])
    }
  })
})

describe('a profile in a file', () => {
  it('needs a name only, and has the defaults otherwise', () => {
    expect(profileOf(written('name: ours'))).toEqual({ ...profileOf('generic'), name: 'ours', title: 'ours' })
  })

  it('overrides the profile that it is based on', () => {
    const file = written(
      'name: ours\nbasedOn: luna7\ngcmIv: append16\ngcmMechanism: 0x8000011c\nlacks: {ECDH: FIPS mode}',
    )
    expect(profileOf(file)).toEqual({
      ...profileOf('luna7'),
      name: 'ours',
      title: 'ours',
      gcmIv: 'append16',
      gcmMechanism: 0x8000_011c,
      lacks: { ECDH: 'FIPS mode' },
    })
  })

  it.each(profiles)('is read as it was written: $name', profile => {
    expect(profileOf(written(profileText(profile, 'a comment')))).toEqual(profile)
  })

  it.each([
    ['gcmIV: caller', 'unknown key gcmIV; did you mean gcmIv?'],
    ['colour: red', 'unknown key colour'],
    ['lacks: {ECC_NIST_P257: no}', 'unknown key ECC_NIST_P257 under lacks; did you mean ECC_NIST_P256?'],
    ['gcmIv: hsm', 'gcmIv: invalid option'],
    ['invalidCiphertextCodes: [CKR_NONSENSE]', 'invalidCiphertextCodes.0: not a return code of PKCS#11'],
    ['sessionsPerWorker: 0', 'sessionsPerWorker: too small'],
    ['sessionsPerWorker: [', 'cannot read the HSM profile'],
  ])('is refused in one line: %s', (line, says) => {
    const file = written(`name: ours\n${line}\n`)
    expect(() => profileOf(file)).toThrow(expect.objectContaining({ name: 'OperatorError' }))
    expect(() => profileOf(file)).toThrow(says)
    expect(() => profileOf(file)).toThrow(/^[^\n]+$/)
  })

  it('is refused without a name, and if it or its base does not exist', () => {
    expect(() => profileOf(written('sessionsPerWorker: 3'))).toThrow('name: invalid input')
    expect(() => profileOf(join(folder, 'none.yaml'))).toThrow('none.yaml: ENOENT')
    expect(() => profileOf(written('name: ours\nbasedOn: luna8'))).toThrow('unknown HSM profile "luna8": use one of ')
  })
})
