import { describe, expect, it } from 'vitest'
import type { Pkcs11 } from '../../../src/hsm/token/pkcs11.ts'
import { calls } from '../../../src/hsm/wire/calls.ts'
import { decodeFailure, openToken, retryFlag, status } from '../../../src/hsm/wire/messages.ts'
import { answerTo } from '../../../src/hsm/worker/answer.ts'

/** What a worker answers to a request that no gateway of this version sends. */

const noHsm = {} as Pkcs11
const { encrypt, random } = calls
const request = encrypt.request.encode({
  object: 'ab'.repeat(32),
  ivLength: 0,
  aad: Buffer.from('aad'),
  plaintext: Buffer.from('plaintext'),
})

async function refusal(kind: number, payload: Buffer) {
  const answer = await answerTo(noHsm, kind, payload, () => {})
  return { kind: answer.kind, ...decodeFailure(answer.payload) }
}

describe('a worker', () => {
  it.each([
    ['an unknown call', 99, Buffer.alloc(0), 'there is no call of kind 99'],
    ['a retry of an unknown call', 99 | retryFlag, Buffer.alloc(0), `there is no call of kind ${99 | retryFlag}`],
    [
      'a second request to open the token as a call',
      openToken,
      Buffer.alloc(0),
      `there is no call of kind ${openToken}`,
    ],
    ['a truncated request', encrypt.kind, request.subarray(0, 50), 'it ends too early'],
    ['an empty request', encrypt.kind, Buffer.alloc(0), 'it ends too early'],
    ['a request with bytes left over', random.kind, Buffer.alloc(9), '5 bytes too many'],
    ['a length beyond the end', encrypt.kind, withLength(request, 33, 2 ** 32 - 1), 'it ends too early'],
  ])('refuses %s with a clear error, and does nothing', async (_, kind, payload, reason) => {
    const { kind: outcome, failure, returnCode } = await refusal(kind, payload)
    expect(outcome).toBe(status.failed)
    expect(returnCode).toBe('none')
    expect(failure).toMatchObject({ code: 'Internal', message: '' })
    expect((failure.cause as Error).message).toBe(`malformed HSM message: ${reason}`)
  })
})

/** The same payload with another length at the offset. */
function withLength(payload: Buffer, offset: number, length: number): Buffer {
  const changed = Buffer.from(payload)
  changed.writeUInt32BE(length, offset)
  return changed
}
