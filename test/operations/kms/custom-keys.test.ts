import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { Failure } from '../../../src/errors.ts'
import type { Hsm } from '../../../src/hsm/hsm.ts'
import type { Key } from '../../../src/model/keys/key.ts'
import { customKey, importCustomMaterial } from '../../../src/operations/kms/custom-keys.ts'
import { aKey } from '../../storage/records.ts'

const id = 'BFFB20D8-35ca-4408-9d54-f775b929b38d'
const tag = (TagKey: string, TagValue: string) => ({ TagKey, TagValue })

describe('the tags of a custom key', () => {
  it('give its id and material; the id stays a tag, the material does not', () => {
    const tags = [tag('_custom_id_', id), tag('a', 'b'), tag('_custom_key_material_', 'AAAA')]
    expect(customKey(tags, false)).toEqual({ id, material: 'AAAA', tags: tags.slice(0, 2) })
    expect(customKey([tag('a', 'b')], false)).toEqual({ id: undefined, material: undefined, tags: [tag('a', 'b')] })
  })

  it.each(['', 'x', `${id}0`, `mrk-${'0'.repeat(32)}`, 'alias/a', `arn:aws:kms:us-east-1:000000000000:key/${id}`])(
    'cannot give it the id "%s"',
    wrong => {
      expect(() => customKey([tag('_custom_id_', wrong)], false)).toThrow(
        'The value of the tag _custom_id_ is not a UUID.',
      )
    },
  )

  it('give the id of a multi-Region key to such a key only', () => {
    const multiRegionId = `mrk-${'0a'.repeat(16)}`
    expect(customKey([tag('_custom_id_', multiRegionId)], true)).toMatchObject({ id: multiRegionId })
    for (const wrong of [id, 'mrk-', `${multiRegionId}0`, multiRegionId.toUpperCase(), `mrk-${id}`])
      expect(() => customKey([tag('_custom_id_', wrong)], true), wrong).toThrow('as of a multi-Region key')
  })

  it('cannot give it two materials', () => {
    const tags = [tag('_custom_key_material_', 'AAAA'), tag('_custom_key_material_', 'AAAA')]
    expect(() => customKey(tags, false)).toThrow(expect.objectContaining({ code: 'InvalidTag' }))
  })
})

describe('the material of a custom key', () => {
  /** What the HSM is given, as base64. */
  async function given(kind: Pick<Key, 'spec' | 'usage'>, text: string): Promise<string> {
    let imported = ''
    const hsm = {
      name: 'test',
      whyUnsupported: () => undefined,
      random: async (length: number) => randomBytes(length),
      async importKey(_id: string, _spec: string, _usage: string, _label: string, bytes: Uint8Array) {
        imported = Buffer.from(bytes).toString('base64')
        if (bytes.length === 0) throw new Failure('IncorrectKeyMaterial', 'The key material is invalid: nothing.')
        return { custody: {} }
      },
    }
    const key = aKey(1, { origin: 'AWS_KMS', ...kind })
    await importCustomMaterial(hsm as unknown as Hsm, key, 0, text)
    return imported
  }

  const signing = { spec: 'ECC_NIST_P256', usage: 'SIGN_VERIFY' } as const
  const der = (key: KeyObject, type: 'pkcs8' | 'sec1' | 'pkcs1') =>
    (key.export({ format: 'der', type } as never) as unknown as Buffer).toString('base64')

  it('is a secret key as it is', async () => {
    const key = randomBytes(32).toString('base64')
    expect(await given({ spec: 'SYMMETRIC_DEFAULT', usage: 'ENCRYPT_DECRYPT' }, key)).toBe(key)
  })

  it('is a private key in any of the three forms of DER', async () => {
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    for (const form of ['pkcs8', 'sec1'] as const) expect(await given(signing, der(ec, form))).toBe(der(ec, 'pkcs8'))
    for (const form of ['pkcs8', 'pkcs1'] as const) {
      expect(await given({ spec: 'RSA_2048', usage: 'SIGN_VERIFY' }, der(rsa, form))).toBe(der(rsa, 'pkcs8'))
    }
  })

  it('is what HMAC pads short keys to', async () => {
    const kind = { spec: 'HMAC_256', usage: 'GENERATE_VERIFY_MAC' } as const
    const whole = Buffer.concat([Buffer.from('custom test key material'), Buffer.alloc(8)]).toString('base64')
    expect(await given(kind, Buffer.from('custom test key material').toString('base64'))).toBe(whole)
    const long = randomBytes(33).toString('base64')
    expect(await given(kind, long)).toBe(long)
  })

  it.each(['AAAA=', 'not base64!', 'AAA', 'AA-_', ' AAAA'])('is refused, but not shown, if it is "%s"', async text => {
    const failure = { code: 'Validation', message: 'The value of the tag _custom_key_material_ is not base64.' }
    await expect(given(signing, text)).rejects.toMatchObject(failure)
  })

  it('is refused by CreateKey with a code that it knows', async () => {
    const failure = { code: 'Validation', message: 'The key material is invalid: nothing.' }
    await expect(given(signing, '')).rejects.toMatchObject(failure)
  })
})
