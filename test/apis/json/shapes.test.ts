import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { operationShapes } from '../../../src/apis/json/shapes.ts'
import { model, shapeNamed } from '../../../src/apis/kms/model.ts'
import { constraintsOf } from '../../../src/apis/service-model/constraints.ts'
import type { ScalarShape, StructureShape } from '../../../src/apis/service-model/model.ts'
import { Failure } from '../../../src/errors.ts'
import { call, operationNames, plain } from '../kms/sdk.ts'
import { anyOf } from './arbitraries.ts'

const shapesByOperation = operationShapes(model)

function decode(operation: string, body: string | Uint8Array | object) {
  const bytes =
    typeof body === 'string' || body instanceof Uint8Array ? Buffer.from(body) : Buffer.from(JSON.stringify(body))
  return shapesByOperation.get(operation)!.input(bytes)
}

const encode = (operation: string, output: object | undefined) => shapesByOperation.get(operation)!.output(output)

const base64 = (bytes: number) => Buffer.alloc(bytes).toString('base64')

function refusal(operation: string, body: string | Uint8Array | object): Failure {
  try {
    decode(operation, body)
  } catch (error) {
    if (error instanceof Failure) return error
    throw error
  }
  throw new Error('accepted')
}

function accepted(operation: string, body: object): boolean {
  try {
    decode(operation, body)
    return true
  } catch {
    return false
  }
}

const KeyId = '00000000-0000-0000-0000-000000000000'
const failed = 'failed to satisfy constraint: Member must'

describe("AWS's own words for a violation", () => {
  const specs =
    'RSA_2048, RSA_3072, RSA_4096, ECC_NIST_P256, ECC_NIST_P384, ECC_NIST_P521, ECC_SECG_P256K1, ECC_NIST_EDWARDS25519, ' +
    'SYMMETRIC_DEFAULT, HMAC_224, HMAC_256, HMAC_384, HMAC_512, SM2, ML_DSA_44, ML_DSA_65, ML_DSA_87, ML_KEM_512, ML_KEM_768, ' +
    'ML_KEM_1024'
  const signingAlgorithms =
    'RSASSA_PSS_SHA_256, RSASSA_PSS_SHA_384, RSASSA_PSS_SHA_512, RSASSA_PKCS1_V1_5_SHA_256, RSASSA_PKCS1_V1_5_SHA_384, ' +
    'RSASSA_PKCS1_V1_5_SHA_512, ECDSA_SHA_256, ECDSA_SHA_384, ECDSA_SHA_512, ED25519_SHA_512, ED25519_PH_SHA_512, SM2DSA, ' +
    'ML_DSA_SHAKE_256'
  const Message = 'bWVzc2FnZQ=='
  const tag = (TagKey: string, TagValue: string) => ({ KeyId, Tags: [{ TagKey, TagValue }] })
  const long = (length: number) => 'a'.repeat(length)

  // biome-ignore format: a table
  const recorded: [operation: string, input: object, text: string][] = [
    ['DescribeKey', {}, `Value null at 'keyId' ${failed} not be null`],
    ['DescribeKey', { KeyId: null }, `Value null at 'keyId' ${failed} not be null`],
    ['DescribeKey', { KeyId: 'キー' }, `Value 'キー' at 'keyId' ${failed} satisfy regular expression pattern: ^\\p{ASCII}+$`],
    ['PutKeyPolicy', { KeyId }, `Value null at 'policy' ${failed} not be null`],
    ['Decrypt', { CiphertextBlob: '' }, `Value at 'ciphertextBlob' ${failed} have length greater than or equal to 1`],
    ['Decrypt', { CiphertextBlob: base64(6145) }, `Value at 'ciphertextBlob' ${failed} have length less than or equal to 6144`],
    ['Encrypt', { KeyId, Plaintext: '' }, `Value at 'plaintext' ${failed} have length greater than or equal to 1`],
    ['Encrypt', { KeyId, Plaintext: base64(4097) }, `Value at 'plaintext' ${failed} have length less than or equal to 4096`],
    ['Encrypt', { KeyId }, `Value at 'plaintext' ${failed} not be null`],
    ['Encrypt', { KeyId, Plaintext: Message, EncryptionAlgorithm: 'FOO' },
      `Value 'FOO' at 'encryptionAlgorithm' ${failed} satisfy enum value set: [RSAES_OAEP_SHA_1, RSAES_OAEP_SHA_256, SM2PKE, SYMMETRIC_DEFAULT]`],
    ['Sign', { KeyId, SigningAlgorithm: 'ECDSA_SHA_256' }, `Value at 'message' ${failed} not be null`],
    ['Sign', { KeyId, Message, SigningAlgorithm: 'FOO' },
      `Value 'FOO' at 'signingAlgorithm' ${failed} satisfy enum value set: [${signingAlgorithms}]`],
    ['Sign', { KeyId, Message, SigningAlgorithm: 'ECDSA_SHA_256', MessageType: 'FOO' },
      `Value 'FOO' at 'messageType' ${failed} satisfy enum value set: [RAW, DIGEST, EXTERNAL_MU]`],
    ['Verify', { KeyId, Message, SigningAlgorithm: 'ECDSA_SHA_256' }, `Value null at 'signature' ${failed} not be null`],
    ['GenerateMac', { KeyId, Message, MacAlgorithm: 'hmac_sha_256' },
      `Value 'hmac_sha_256' at 'macAlgorithm' ${failed} satisfy enum value set: [HMAC_SHA_384, HMAC_SHA_256, HMAC_SHA_224, HMAC_SHA_512]`],
    ['DeriveSharedSecret', { KeyId, KeyAgreementAlgorithm: 'FOO', PublicKey: Message },
      `Value 'FOO' at 'keyAgreementAlgorithm' ${failed} satisfy enum value set: [ECDH]`],
    ['GenerateRandom', { NumberOfBytes: 0 }, `Value '0' at 'numberOfBytes' ${failed} have value greater than or equal to 1`],
    ['GenerateRandom', { NumberOfBytes: 1025 }, `Value '1025' at 'numberOfBytes' ${failed} have value less than or equal to 1024`],
    ['GenerateDataKey', { KeyId, KeySpec: 'FOO' }, `Value 'FOO' at 'keySpec' ${failed} satisfy enum value set: [${specs}]`],
    ['GenerateDataKey', { KeyId, KeySpec: 'RSA_2048' }, `Value 'RSA_2048' at 'keySpec' ${failed} satisfy enum value set: [${specs}]`],
    ['CreateKey', { KeySpec: 'FOO' }, `Value 'FOO' at 'keySpec' ${failed} satisfy enum value set: [${specs}]`],
    ['CreateKey', { KeyUsage: 'FOO' },
      `Value 'FOO' at 'keyUsage' ${failed} satisfy enum value set: [ENCRYPT_DECRYPT, SIGN_VERIFY, GENERATE_VERIFY_MAC, KEY_AGREEMENT, ENCAPSULATE_DECAPSULATE]`],
    ['CreateKey', { Origin: 'FOO' },
      `Value 'FOO' at 'origin' ${failed} satisfy enum value set: [EXTERNAL, AWS_CLOUDHSM, AWS_KMS, EXTERNAL_KEY_STORE]`],
    ['EnableKeyRotation', { KeyId, RotationPeriodInDays: 89 }, `Value '89' at 'rotationPeriodInDays' ${failed} have value greater than or equal to 90`],
    ['CreateAlias', { AliasName: 'alias/a b', TargetKeyId: KeyId },
      `Value 'alias/a b' at 'aliasName' ${failed} satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$`],
    ['GetKeyPolicy', { KeyId, PolicyName: 'not default' },
      `Value 'not default' at 'policyName' ${failed} satisfy regular expression pattern: [\\w]+`],
    ['TagResource', tag(long(129), 'v'), `Value '${long(129)}' at 'tags.1.member.tagKey' ${failed} have length less than or equal to 128`],
    ['TagResource', tag('', 'v'), `Value '' at 'tags.1.member.tagKey' ${failed} have length greater than or equal to 1`],
    ['CreateKey', tag('k', long(257)), `Value '${long(257)}' at 'tags.1.member.tagValue' ${failed} have length less than or equal to 256`],
  ]
  it.each(recorded)('%s, row %#', (operation, input, text) => {
    expect(refusal(operation, input)).toMatchObject({
      code: 'Validation',
      message: `1 validation error detected: ${text}`,
    })
  })

  it('joins all violations, the length of a value before its pattern', () => {
    expect(refusal('GetPublicKey', { KeyId: '', GrantTokens: [''] }).message).toBe(
      `3 validation errors detected: Value '' at 'keyId' ${failed} have length greater than or equal to 1; ` +
        `Value '' at 'keyId' ${failed} satisfy regular expression pattern: ^\\p{ASCII}+$; ` +
        "Value at 'grantTokens' failed to satisfy constraint: Member must satisfy constraint: " +
        '[Member must have length less than or equal to 8192, Member must have length greater than or equal to 1, ' +
        'Member must not be null]',
    )
  })

  it('shows a whole list with invalid members, but no grant tokens', () => {
    expect(refusal('UntagResource', { KeyId, TagKeys: ['a', '', null] }).message).toContain(
      "Value '[a, , ]' at 'tagKeys'",
    )
    expect(refusal('CreateGrant', { KeyId, GranteePrincipal: 'me', Operations: ['Fly'] }).message).toMatch(
      /Value '\[Fly\]' at 'operations' failed .* Member must satisfy constraint: \[Member must satisfy enum value set: \[Decrypt,/,
    )
    expect(refusal('DescribeKey', { KeyId, GrantTokens: Array(11).fill('t') }).message).toBe(
      `1 validation error detected: Value at 'grantTokens' ${failed} have length less than or equal to 10`,
    )
  })

  it('names members of lists and structures by their path', () => {
    const input = { KeyId, Tags: [{ TagKey: 'a', TagValue: 'b' }, { TagKey: 'a' }, null] }
    expect(refusal('TagResource', input).message).toBe(
      `2 validation errors detected: Value null at 'tags.2.member.tagValue' ${failed} not be null; ` +
        `Value null at 'tags.3.member' ${failed} not be null`,
    )
    expect(
      refusal('Decrypt', { CiphertextBlob: 'AAAA', Recipient: { KeyEncryptionAlgorithm: 'FOO' } }).message,
    ).toContain("Value 'FOO' at 'recipient.keyEncryptionAlgorithm' failed")
  })

  it('reports null values of a map once', () => {
    expect(
      refusal('Encrypt', { KeyId, Plaintext: 'AAAA', EncryptionContext: { a: null, b: 'c', d: null } }).message,
    ).toBe(
      "1 validation error detected: Value '{a=null, b=c, d=null}' at 'encryptionContext' failed to satisfy constraint: " +
        'Map value must satisfy constraint: [Member must not be null]',
    )
  })

  it('never shows members that the model marks as sensitive', () => {
    const { message } = refusal('CreateCustomKeyStore', {
      CustomKeyStoreName: 'store',
      KeyStorePassword: 'hunter',
      XksProxyAuthenticationCredential: { AccessKeyId: 'lower', RawSecretAccessKey: 'tiny' },
    })
    expect(message).toMatch(/^4 validation errors detected: Value at 'keyStorePassword' failed/)
    expect(message).toContain("Value at 'xksProxyAuthenticationCredential.rawSecretAccessKey' failed")
    expect(message).not.toMatch(/hunter|lower|tiny/)
  })

  it('stays short, whatever the number of violations', () => {
    const Tags = Array.from({ length: 1000 }, () => ({ TagKey: long(129) }))
    const many = refusal('TagResource', { KeyId, Tags }).message
    expect(many).toMatch(/^2000 validation errors detected: .*; \.\.\.$/)
    expect(many.length).toBeLessThan(50_000)
    const huge = refusal('DescribeKey', { KeyId: '😀'.repeat(250_000) }).message
    expect(huge.length).toBeLessThan(50_000)
    expect(huge.isWellFormed()).toBe(true)
  })

  it('lists the same values that the model accepts, except for data keys', () => {
    for (const [name, shape] of Object.entries(model.shapes)) {
      if (shape.type !== 'string' || shape.enum === undefined || name === 'DataKeySpec') continue
      for (const operation of operationNames) {
        const input = model.shapes[model.operations[operation].input]
        if (input?.type !== 'structure') continue
        for (const [member, reference] of Object.entries(input.members)) {
          if (reference.shape !== name) continue
          const listed = /enum value set: \[([^\]]*)\]/.exec(refusal(operation, { [member]: '?' }).message)![1]!
          expect(listed.split(', ').sort(), name).toEqual([...shape.enum].sort())
        }
      }
    }
  })
})

describe('lengths and patterns', () => {
  it('counts code points, as in the model', () => {
    expect(decode('TagResource', { KeyId, Tags: [{ TagKey: '😀'.repeat(128), TagValue: '' }] })).toBeTruthy()
    expect(refusal('TagResource', { KeyId, Tags: [{ TagKey: '😀'.repeat(129), TagValue: '' }] }).code).toBe(
      'Validation',
    )
  })

  it('matches patterns against the whole value', () => {
    for (const PolicyName of ['default\n', '\ndefault', 'de fault']) {
      expect(refusal('GetKeyPolicy', { KeyId, PolicyName }).code).toBe('Validation')
    }
    const description = (KeyMaterialDescription: string) => ({
      KeyId,
      ImportToken: 'AAAA',
      EncryptedKeyMaterial: 'AAAA',
      KeyMaterialDescription,
    })
    expect(decode('ImportKeyMaterial', description('two words.\n'))).toBeTruthy()
    expect(refusal('ImportKeyMaterial', description('two\u00a0words')).code).toBe('Validation')
  })

  it.each(Object.entries(model.shapes).filter(([, shape]) => 'pattern' in shape))(
    'refuses near misses of 256 KiB without backtracking: %s',
    (_name, shape) => {
      const constraints = constraintsOf(shape as ScalarShape)
      const pattern = constraints.find(({ text }) => text.includes('pattern'))!
      for (const part of ['a', '/', '-', 'a-', '/a', '1', 'com.amazonaws.vpce.a-', 'a/kms/xks/v1', 'https://a']) {
        const text = part.repeat(2 ** 18 / part.length)
        expect(pattern.met(`${text}\u{1f600}` as never)).toBe(false)
        expect(pattern.met(`/${text}\u{1f600}` as never)).toBe(false)
      }
    },
  )
})

describe('decoding', () => {
  it('gives blobs as bytes, timestamps as dates and maps without a prototype', () => {
    const input = decode('ImportKeyMaterial', {
      KeyId,
      ImportToken: 'AAEC',
      EncryptedKeyMaterial: '/w==',
      ValidTo: 1593622000.191,
    })
    expect(plain(input)).toEqual({
      KeyId,
      ImportToken: { bytes: '000102' },
      EncryptedKeyMaterial: { bytes: 'ff' },
      ValidTo: new Date(1593622000191),
    })
    const { EncryptionContext } = decode('Encrypt', { KeyId, Plaintext: 'AAAA', EncryptionContext: { a: 'b' } })
    expect(Object.getPrototypeOf(EncryptionContext)).toBe(null)
  })

  it('accepts canonical base64 only', () => {
    const alphabet = fc.constantFrom(...'AQgwBEIMkoZ09az+/-_=! \n\u00e9')
    const nearly = fc
      .tuple(fc.uint8Array({ minLength: 1, maxLength: 8 }), fc.nat(12), alphabet)
      .map(([bytes, at, other]) => {
        const text = Buffer.from(bytes).toString('base64')
        return text.slice(0, at) + other + text.slice(at + 1)
      })
    const canonical = (text: string) => text !== '' && Buffer.from(text, 'base64').toString('base64') === text
    fc.assert(
      fc.property(fc.oneof(nearly, fc.string({ unit: alphabet, maxLength: 12 })), Plaintext => {
        const outcome = accepted('Encrypt', { KeyId, Plaintext })
        expect(outcome).toBe(canonical(Plaintext))
      }),
      { numRuns: 2000 },
    )
  })

  it('takes an empty body for an empty object', () => {
    expect(decode('ListKeys', '')).toEqual({})
  })

  it('ignores unknown members and takes null members for absent', () => {
    expect(decode('ListKeys', { Limit: 5, Marker: null, Colour: { deep: [1] } })).toEqual({ Limit: 5 })
  })

  it('keeps awkward map keys as plain data', () => {
    const body = `{"KeyId":"k","Plaintext":"AAAA","__proto__":{"KeyId":"x"},"EncryptionContext":{"__proto__":"a","constructor":"b","toString":"c"}}`
    const input = decode('Encrypt', body)
    expect(Object.entries(input.EncryptionContext as object)).toEqual([
      ['__proto__', 'a'],
      ['constructor', 'b'],
      ['toString', 'c'],
    ])
    expect(Object.keys(input)).toEqual(['KeyId', 'Plaintext', 'EncryptionContext'])
    expect(({} as Record<string, unknown>).KeyId).toBeUndefined()
  })

  it('reads an encryption context of 8192 bytes, and refuses a longer one whatever it is made of', () => {
    const context = (EncryptionContext: object) => ({ KeyId, Plaintext: 'AAAA', EncryptionContext })
    const longest = { k: 'v'.repeat(8192 - 4 - 8 - 1) }
    expect(plain(decode('Encrypt', context(longest)).EncryptionContext)).toEqual(longest)
    const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [i.toString(36), '']))
    for (const long of [{ k: `${longest.k}v` }, { '': 'é'.repeat(4092) }, { ['k'.repeat(8192)]: null }, many(1000)]) {
      expect(refusal('Encrypt', context(long))).toMatchObject({
        code: 'Validation',
        message: 'The encryption context exceeds the limit of 8192 bytes.',
      })
    }
  })

  const bytes = (...values: number[]) => Uint8Array.from(values)
  // biome-ignore format: a table
  const unreadable: [what: string, body: string | Uint8Array | object, text: string][] = [
    ['what is not JSON', '{', ''],
    ['white space', ' ', ''],
    ['a byte order mark', '\ufeff{}', ''],
    ['what is not UTF-8', bytes(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d), ''],
    ['an encoded surrogate', bytes(0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d), ''],
    ['a list for an input', '[]', 'Start of list found where not expected'],
    ['a list of an input for an input', '[{}]', 'Start of list found where not expected'],
    ['null for an input', 'null', ''],
    ['a string for an input', '"{}"', ''],
    ['a number for an input', '1', ''],
    ['a boolean for an input', 'true', ''],
    ['a number for a string', { KeyId: 5 }, 'NUMBER_VALUE can not be converted to a String'],
    ['a boolean for a string', { KeyId: true }, 'TRUE_VALUE can not be converted to a String'],
    ['a structure for a string', { KeyId: {} }, 'Start of structure or map found where not expected.'],
    ['a list for a string', { KeyId: [] }, 'Start of list found where not expected'],
    ['a list for a blob', { Plaintext: ['AAAA'] }, 'Start of list found where not expected'],
    ['a structure for a blob', { Plaintext: {} }, 'Start of structure or map found where not expected.'],
    ['a boolean for a blob', { Plaintext: false }, 'FALSE_VALUE can not be converted to a Blob'],
    ['a list for a boolean', { DryRun: [true] }, 'Start of list found where not expected'],
    ['a number for a boolean', { DryRun: 1 }, 'NUMBER_VALUE can not be converted to a Boolean'],
    ['a string for a map', { EncryptionContext: 'a=b' }, 'Expected map or null'],
    ['an empty string for a map', { EncryptionContext: '' }, 'Expected map or null'],
    ['a number for a map', { EncryptionContext: 0 }, 'Expected map or null'],
    ['a boolean for a map', { EncryptionContext: false }, 'Expected map or null'],
    ['a list for a map', { EncryptionContext: [] }, 'Start of list found where not expected'],
    ['a list in a map', { EncryptionContext: { a: ['b'] } }, 'Start of list found where not expected'],
    ['a structure in a map', { EncryptionContext: { a: {} } }, 'Start of structure or map found where not expected.'],
    ['a number in a map', { EncryptionContext: { a: 1 } }, 'NUMBER_VALUE can not be converted to a String'],
    ['a string for a list', { GrantTokens: 'token' }, 'Expected list or null'],
    ['a number for a list', { GrantTokens: 1 }, 'Expected list or null'],
    ['a boolean for a list', { GrantTokens: true }, 'Expected list or null'],
    ['a structure for a list', { GrantTokens: { 0: 't' } }, 'Start of structure or map found where not expected.'],
    ['a list in a list', { GrantTokens: [['t']] }, 'Start of list found where not expected'],
    ['a number in a list', { GrantTokens: [1] }, 'NUMBER_VALUE can not be converted to a String'],
    ['a string for a boolean', { DryRun: 'true' }, 'STRING_VALUE can not be converted to a Boolean'],
    ['a number for a blob', { Plaintext: 1 }, 'NUMBER_VALUE can not be converted to a Blob'],
    ['base64 with foreign characters', { Plaintext: 'AA!A' }, ''],
    ['base64 without its padding', { Plaintext: 'AA' }, ''],
    ['base64 with stray bits', { Plaintext: 'AB==' }, ''],
    ['base64 of the URL alphabet', { Plaintext: '__8=' }, ''],
    ['base64 with white space', { Plaintext: 'AAAA\n' }, ''],
    ['a lone surrogate in a string', String.raw`{"KeyId":"\ud800"}`, ''],
    ['a lone surrogate in a map key', String.raw`{"EncryptionContext":{"\udc00":"a"}}`, ''],
    ['a lone surrogate in a map value', String.raw`{"EncryptionContext":{"a":"\ud83d\ud83d\ude00"}}`, ''],
  ]
  it.each(unreadable)('refuses %s', (_, body, text) => {
    expect(refusal('Encrypt', body)).toMatchObject({ code: 'Serialization', message: text })
  })

  it.each([
    ['Decrypt', 'Recipient', 'Expected null'],
    ['CreateCustomKeyStore', 'XksProxyAuthenticationCredential', 'Expected null'],
    ['CreateGrant', 'Constraints', 'Expected null'],
    ['TagResource', 'Tags', 'Expected list or null'],
  ])('refuses what is no structure, or no list of them: %s.%s', (operation, member, text) => {
    for (const raw of ['x', '', 0, 1.5, true, false]) {
      expect(refusal(operation, { [member]: raw })).toMatchObject({ code: 'Serialization', message: text })
    }
    if (text === 'Expected null') {
      expect(refusal(operation, { [member]: [{}] }).message).toBe('Start of list found where not expected')
      return
    }
    for (const raw of ['x', 5]) expect(refusal(operation, { [member]: [raw] }).message).toBe('Expected null')
    expect(refusal(operation, { [member]: [[]] }).message).toBe('Start of list found where not expected')
  })

  const integers: readonly [operation: string, member: string, path: string, least: number, most: number][] = [
    ['GenerateRandom', 'NumberOfBytes', 'numberOfBytes', 1, 1024],
    ['ListKeys', 'Limit', 'limit', 1, 1000],
    ['EnableKeyRotation', 'RotationPeriodInDays', 'rotationPeriodInDays', 90, 2560],
    ['ScheduleKeyDeletion', 'PendingWindowInDays', 'pendingWindowInDays', 1, 365],
  ]
  it.each(integers)(
    'checks the range of every integer, however large: %s.%s',
    (operation, member, path, least, most) => {
      const above = `Member must have value less than or equal to ${most}`
      const below = `Member must have value greater than or equal to ${least}`
      const key = operation.includes('Key') && operation !== 'ListKeys' ? `"KeyId":"${KeyId}",` : ''
      for (const [raw, shown, text] of [
        ['2147483647', '2147483647', above],
        ['2147483648', '2147483647', above],
        ['4294967297', '2147483647', above],
        ['9223372036854775808', '2147483647', above],
        ['1e30', '2147483647', above],
        ['1e999', '2147483647', above],
        ['99999999999.5', '2147483647', above],
        ['-1', '-1', below],
        ['-2147483649', '-2147483648', below],
        ['-1e999', '-2147483648', below],
      ] as const) {
        expect(refusal(operation, `{${key}"${member}":${raw}}`)).toMatchObject({
          code: 'Validation',
          message: `1 validation error detected: Value '${shown}' at '${path}' failed to satisfy constraint: ${text}`,
        })
      }
    },
  )

  it('has a range for every integer of an input', () => {
    for (const { input } of Object.values(model.operations)) {
      for (const { shape } of Object.values((shapeNamed(input) as StructureShape).members)) {
        const { type, min, max } = shapeNamed(shape) as ScalarShape
        if (type === 'integer') expect([min, max], shape).toEqual([expect.any(Number), expect.any(Number)])
      }
    }
  })

  it('refuses numbers that are no integers, and times that are no dates', () => {
    for (const body of [
      '{"NumberOfBytes":1.5}',
      '{"NumberOfBytes":-0.5}',
      '{"NumberOfBytes":"1"}',
      '{"NumberOfBytes":true}',
    ]) {
      expect(refusal('GenerateRandom', body).message).toMatch(/_VALUE can not be converted to an Integer$/)
    }
    for (const ValidTo of ['1e999', '8640000000001', '"2026-01-01T00:00:00Z"', 'true']) {
      expect(refusal('ImportKeyMaterial', `{"ValidTo":${ValidTo}}`).message).toMatch(
        /_VALUE can not be converted to a Timestamp$/,
      )
    }
  })

  it('reports a wrong type before a violated constraint', () => {
    expect(refusal('Encrypt', { KeyId: '', DryRun: 1 }).code).toBe('Serialization')
  })

  it('never quotes an unreadable body', () => {
    const failure = refusal('Encrypt', '{"Plaintext":"c2VjcmV0" c2VjcmV0')
    expect(`${failure.message} ${failure.cause}`).not.toContain('c2VjcmV0')
  })

  it('survives nesting of any depth', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
    const deep = nested(8000)
    expect(decode('ListKeys', `{"Unknown":${deep}}`)).toEqual({})
    expect(refusal('DescribeKey', `{"KeyId":${deep}}`).code).toBe('Serialization')
    expect(refusal('DescribeKey', '{"KeyId":'.repeat(4000)).code).toBe('Serialization')
    for (const body of [`{"Unknown":${nested(400_000)}}`, '{"KeyId":'.repeat(400_000)]) {
      expect(refusal('DescribeKey', body).message).toBe('The request exceeds the limit of 8192 JSON tokens.')
    }
  })
})

describe('encoding', () => {
  it('writes base64, epoch seconds with a fraction, and only what the shape names', () => {
    const output = { CiphertextBlob: Uint8Array.of(1, 2, 3), KeyId, EncryptionAlgorithm: undefined, Plaintext: 'leak' }
    expect(encode('Encrypt', output)).toBe(`{"CiphertextBlob":"AQID","KeyId":"${KeyId}"}`)
    const metadata = { KeyMetadata: { KeyId, CreationDate: new Date(1593622000191), secret: 1, Description: '' } }
    expect(JSON.parse(encode('DescribeKey', metadata))).toEqual({
      KeyMetadata: { KeyId, CreationDate: 1593622000.191, Description: '' },
    })
  })

  it('writes a slice of a larger buffer as that slice', () => {
    const Plaintext = new Uint8Array(Uint8Array.from([9, 1, 2, 3, 9]).buffer, 1, 3)
    expect(encode('GenerateRandom', { Plaintext })).toBe('{"Plaintext":"AQID"}')
  })

  it('writes no body for operations without an output, and {} for an empty one', () => {
    expect(encode('EnableKey', undefined)).toBe('')
    expect(encode('ConnectCustomKeyStore', undefined)).toBe('{}')
  })

  it('keeps awkward map keys', () => {
    const EncryptionContextSubset = JSON.parse('{"__proto__":"a"}')
    expect(encode('ListGrants', { Grants: [{ Constraints: { EncryptionContextSubset } }] })).toContain(
      '{"__proto__":"a"}',
    )
  })
})

/** Members that the model has and the SDK does not write yet. */
const unknownToSdk = new Set(['ResourceOwners'])

describe.each(operationNames)('%s', operation => {
  const { input, output } = model.operations[operation]

  it('reads what the SDK writes', async () => {
    await fc.assert(
      fc.asyncProperty(anyOf(input) as fc.Arbitrary<object>, async value => {
        let decoded: unknown
        const known = Object.fromEntries(Object.entries(value).filter(([member]) => !unknownToSdk.has(member)))
        await call(operation, known, request => {
          decoded = decode(operation, request.body)
          return { status: 200, headers: {}, body: output === null ? '' : '{}' }
        })
        expect(plain(decoded)).toEqual(plain(known))
      }),
      { numRuns: 15 },
    )
  })

  it('writes what the SDK reads', async () => {
    await fc.assert(
      fc.asyncProperty((output === null ? fc.constant({}) : anyOf(output)) as fc.Arbitrary<object>, async value => {
        const read = await call(operation, {}, () => ({ status: 200, headers: {}, body: encode(operation, value) }))
        expect(plain(read)).toEqual(plain(value))
      }),
      { numRuns: 15 },
    )
  })

  it('gives an input or one of two failures for any body', () => {
    const shape = model.shapes[input]!
    const members = shape.type === 'structure' ? Object.keys(shape.members) : []
    const anyKey = fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom('x', ...members) },
      { weight: 1, arbitrary: fc.string() },
    )
    const anyObject = fc.dictionary(anyKey, fc.jsonValue()).map(value => JSON.stringify(value))
    const mutilated = anyOf(input).map(value => JSON.stringify(value))
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ size: 'large' }), fc.json(), anyObject, mutilated), body => {
        try {
          expect(typeof decode(operation, body)).toBe('object')
        } catch (error) {
          if (!(error instanceof Failure)) throw error
          expect(error.code).toMatch(/^(Serialization|Validation)$/)
        }
      }),
      { numRuns: 60 },
    )
  })
})
