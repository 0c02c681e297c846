import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Failure } from '../../../src/errors.ts'
import * as messages from '../../../src/hsm/wire/messages.ts'

const material = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(bytes => Buffer.from(bytes).toString('hex'))
const bytes = fc.uint8Array({ maxLength: 300 }).map(array => Buffer.from(array))

describe('messages', () => {
  it('carry what was put in', () => {
    fc.assert(
      fc.property(material, bytes, bytes, bytes, (id, first, second, third) => {
        const encrypt = { material: id, plaintext: first, aad: second, ivLength: 16 }
        expect(messages.decodeEncrypt(messages.encodeEncrypt(id, first, second, 16))).toEqual(encrypt)
        const sealed = { iv: first, ciphertext: second }
        expect(messages.decodeSealed(messages.encodeSealed(sealed))).toEqual(sealed)
        const decrypt = { material: id, ...sealed, aad: third }
        expect(messages.decodeDecrypt(messages.encodeDecrypt(id, sealed, third))).toEqual(decrypt)
      }),
    )
  })

  it('carry a failure with the line of its cause and nothing else of it', () => {
    const failure = new Failure('Internal', '', { cause: new Error('C_Encrypt: CKR_FUNCTION_FAILED') })
    const sent = messages.encodeFailure({ failure, returnCode: 'CKR_FUNCTION_FAILED' })
    expect(sent.toString()).not.toContain(import.meta.filename)
    const received = messages.decodeFailure(sent)
    expect(received.returnCode).toBe('CKR_FUNCTION_FAILED')
    expect(received.failure).toMatchObject({ code: 'Internal', message: '', cause: failure.cause })
  })
})
