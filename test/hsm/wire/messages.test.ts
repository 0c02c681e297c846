import { describe, expect, it } from 'vitest'
import { Failure } from '../../../src/errors.ts'
import * as messages from '../../../src/hsm/wire/messages.ts'

describe('messages', () => {
  it('carry a failure with the message of its cause and nothing else of it', () => {
    const failure = new Failure('Internal', '', { cause: new Error('C_Encrypt: CKR_FUNCTION_FAILED') })
    const sent = messages.encodeFailure({ failure, returnCode: 'CKR_FUNCTION_FAILED' })
    expect(sent.toString()).not.toContain(import.meta.filename)
    const received = messages.decodeFailure(sent)
    expect(received.returnCode).toBe('CKR_FUNCTION_FAILED')
    expect(received.failure).toMatchObject({ code: 'Internal', message: '', cause: failure.cause })
  })
})
