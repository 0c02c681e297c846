import { describe, expect, it } from 'vitest'
import { recordersOf } from '../../../src/apis/json/record.ts'
import { model, shapeNamed } from '../../../src/apis/kms/model.ts'

describe('a value on record', () => {
  const { CreateGrant, CreateKey, Encrypt } = model.operations
  const inputOf = ({ input }: { readonly input: string }) => recordersOf(input, shapeNamed)

  it('has the names of structure members in lowerCamel, as in CloudTrail, and the keys of maps as they are', () => {
    const { Constraints } = inputOf(CreateGrant)
    const context = Object.assign(Object.create(null), { App: 'X', ['__proto__']: 'y' })
    expect(Constraints!({ EncryptionContextSubset: context })).toEqual({ encryptionContextSubset: context })
    const { Tags } = inputOf(CreateKey)
    expect(Tags!([{ TagKey: 'Team', TagValue: 'Blue' }])).toEqual([{ tagKey: 'Team', tagValue: 'Blue' }])
    const { KeyMetadata } = recordersOf(CreateKey.output, shapeNamed)
    const CreationDate = new Date(0)
    const metadata = {
      AWSAccountId: '1',
      CreationDate,
      Description: undefined,
      SigningAlgorithms: ['RSASSA_PSS_SHA_256'],
    }
    expect(KeyMetadata!(metadata)).toEqual({
      aWSAccountId: '1',
      creationDate: CreationDate,
      signingAlgorithms: ['RSASSA_PSS_SHA_256'],
    })
  })

  it('is what it is if it has no names', () => {
    expect(Object.keys(inputOf(Encrypt))).toEqual([])
    expect(Object.keys(inputOf(CreateGrant))).toEqual(['Constraints'])
    expect(recordersOf(null, shapeNamed)).toEqual({})
  })
})
