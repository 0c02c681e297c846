import { describe, expect, it } from 'vitest'
import { HsmClient } from '../../src/hsm/client.ts'
import type { Backend } from '../../src/hsm/pool/backend.ts'
import { calls } from '../../src/hsm/wire/calls.ts'

/** What a worker answers is looked at before it is believed. */

const plaintext = Buffer.from('text')

function answering(answer: Buffer): HsmClient {
  return new HsmClient({ call: async () => answer } as unknown as Backend, {
    outside: { encrypts: false, verifies: false },
    transfersTo: [],
  })
}

function sealing(ciphertext: number): HsmClient {
  return answering(calls.encrypt.answer.encode({ iv: Buffer.alloc(12, 1), ciphertext: Buffer.alloc(ciphertext) }))
}

describe('an encryption of 4 bytes', () => {
  it('is a ciphertext of 20', async () => {
    const { ciphertext } = await sealing(20).encrypt('00'.repeat(32), plaintext, plaintext, 12)
    expect(ciphertext).toHaveLength(20)
  })

  it.each([0, 4, 19, 21, 32])('is refused with %i bytes, which would never decrypt', async length => {
    const encryption = sealing(length).encrypt('00'.repeat(32), plaintext, plaintext, 12)
    await expect(encryption).rejects.toMatchObject({ code: 'Internal' })
  })
})

describe('32 bytes', () => {
  const iv = Buffer.alloc(12)
  // biome-ignore format: a table
  const attempts = {
    'of the generator':  (client: HsmClient) => client.random(32),
    'that were sealed':  (client: HsmClient) => client.decrypt('00'.repeat(32), { iv, ciphertext: Buffer.alloc(48) }, iv),
  }

  it.each(Object.entries(attempts))('%s of another length are refused and wiped', async (_, call) => {
    expect(await call(answering(Buffer.alloc(32, 7)))).toEqual(Buffer.alloc(32, 7))
    for (const length of [0, 16, 31, 33, 48]) {
      const answer = Buffer.alloc(length, 7)
      await expect(call(answering(answer))).rejects.toMatchObject({ code: 'Internal', message: '' })
      expect(answer).toEqual(Buffer.alloc(length))
    }
  })
})

describe('an answer', () => {
  const key = { object: '00'.repeat(32), spec: 'RSA_2048', publicKey: Buffer.of(1) } as const
  const attempts = {
    'of encrypt': (client: HsmClient) => client.encrypt(key.object, plaintext, plaintext),
    'of generateKeyPair': (client: HsmClient) => client.generateKeyPair('RSA_2048'),
    'of verify': (client: HsmClient) => client.verify(key, 'RSASSA_PSS_SHA_256', 'RAW', plaintext, plaintext),
    'of objects': (client: HsmClient) => client.objects(),
  }

  it.each(Object.entries(attempts))(
    '%s that is malformed is an error, and nothing is read beyond it',
    async (_, call) => {
      for (const answer of [Buffer.of(0, 0, 0), Buffer.of(0xff, 0xff, 0xff, 0xff, 1), Buffer.alloc(9, 2)]) {
        await expect(call(answering(answer))).rejects.toMatchObject({
          code: 'Internal',
          message: '',
          cause: { name: 'RangeError' },
        })
      }
    },
  )
})

describe('the client of a caller', () => {
  it('is the same for each call, and not kept for ever when callers are many', () => {
    const client = answering(Buffer.alloc(0))
    const first = client.for('first')
    expect(client.for('first')).toBe(first)
    for (let i = 0; i < 1000; i++) client.for(`caller ${i}`)
    expect(client.for('first')).not.toBe(first)
  })
})
