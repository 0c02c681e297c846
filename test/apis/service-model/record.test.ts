import { describe, expect, it } from 'vitest'
import { model, shapeNamed } from '../../../src/apis/kms/model.ts'
import { recordersOf } from '../../../src/apis/service-model/record.ts'

describe('a value on record', () => {
  const { CreateGrant, CreateKey, Encrypt } = model.operations
  const inputOf = (operation: { readonly input: string; readonly output: string | null }) =>
    recordersOf(operation, shapeNamed).input

  it('has the names of structure members in lowerCamel, as in CloudTrail, and the keys of maps as they are', () => {
    const { Constraints } = inputOf(CreateGrant)
    const context = Object.assign(Object.create(null), { App: 'X', ['__proto__']: 'y' })
    expect(Constraints!({ EncryptionContextSubset: context })).toEqual({ encryptionContextSubset: context })
    const { Tags } = inputOf(CreateKey)
    expect(Tags!([{ TagKey: 'Team', TagValue: 'Blue' }])).toEqual([{ tagKey: 'Team', tagValue: 'Blue' }])
    const { KeyMetadata } = recordersOf(CreateKey, shapeNamed).output
    const CreationDate = new Date(0)
    const metadata = {
      AWSAccountId: '1',
      CreationDate,
      Description: undefined,
      SigningAlgorithms: ['RSASSA_PSS_SHA_256'],
    }
    expect(KeyMetadata!(metadata)).toEqual({
      aWSAccountId: '1',
      creationDate: 'Jan 1, 1970, 12:00:00 AM',
      signingAlgorithms: ['RSASSA_PSS_SHA_256'],
    })
  })

  it('has no key material, which LocalStack puts into a tag', () => {
    const secret = 'bm90IGEgcmVhbCBrZXk='
    const tags = [
      { TagKey: 'Team', TagValue: 'Blue' },
      { TagKey: '_custom_key_material_', TagValue: secret },
    ]
    for (const operation of ['CreateKey', 'TagResource'] as const) {
      const recorded = inputOf(model.operations[operation]).Tags!(tags)
      expect(JSON.stringify(recorded)).toBe('[{"tagKey":"Team","tagValue":"Blue"},{"tagKey":"_custom_key_material_"}]')
    }
  })

  it('is nothing if it is sensitive', () => {
    const { Plaintext, GrantTokens } = inputOf(Encrypt)
    expect(Plaintext!('a plaintext')).toBeUndefined()
    expect(GrantTokens!(['a token', 'another'])).toEqual([undefined, undefined])
  })

  it('is what it is if it has no names', () => {
    const { KeyId, EncryptionContext } = inputOf(Encrypt)
    expect([KeyId, EncryptionContext]).toEqual([undefined, undefined])
    expect(recordersOf(model.operations.PutKeyPolicy, shapeNamed).output).toEqual({})
  })
})
