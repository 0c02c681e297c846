import { describe, expect, it } from 'vitest'
import type { Backend } from '../../src/hsm/backend.ts'
import { HsmClient } from '../../src/hsm/client.ts'
import { encodeSealed } from '../../src/hsm/messages.ts'

/** What a worker answers is looked at before it is believed. */

const plaintext = Buffer.from('text')

function answering(ciphertext: number): HsmClient {
  const answer = encodeSealed({ iv: Buffer.alloc(12, 1), ciphertext: Buffer.alloc(ciphertext) })
  return new HsmClient({ call: async () => answer } as unknown as Backend, { encrypts: false, verifies: false })
}

describe('an encryption of 4 bytes', () => {
  it('is a ciphertext of 20', async () => {
    const { ciphertext } = await answering(20).encrypt('00'.repeat(32), plaintext, plaintext, 12)
    expect(ciphertext).toHaveLength(20)
  })

  it.each([0, 4, 19, 21, 32])('is not one of %i bytes: that would never decrypt', async length => {
    const encryption = answering(length).encrypt('00'.repeat(32), plaintext, plaintext, 12)
    await expect(encryption).rejects.toMatchObject({ code: 'KMSInternalException' })
  })
})
