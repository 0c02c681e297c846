import { describe, expect, it } from 'vitest'
import { Failure } from '../../../src/errors.ts'
import { encodeHeader } from '../../../src/model/keys/ciphertext.ts'
import { generateDataKeyPair } from '../../../src/operations/kms/cryptography/generate-data-key-pair.ts'
import { generateDataKeyPairWithoutPlaintext } from '../../../src/operations/kms/cryptography/generate-data-key-pair-without-plaintext.ts'
import { generateDataKeyWithoutPlaintext } from '../../../src/operations/kms/cryptography/generate-data-key-without-plaintext.ts'
import { reEncrypt } from '../../../src/operations/kms/cryptography/re-encrypt.ts'
import type { AnyOperation } from '../../../src/operations/operation.ts'
import type { Hsm } from '../../../src/services.ts'
import { EncryptionCounts } from '../../../src/storage/encryption-counts.ts'
import { aKey } from '../../storage/records.ts'

/** What happens to the secrets that an operation holds in the clear and does not answer. */

const key = aKey(1)
const [material] = key.materials

/** An HSM that hands out one secret, and perhaps does not encrypt. */
function hsmWith(secret: Uint8Array, failing: boolean): Partial<Hsm> {
  return {
    ivLength: 12,
    random: async () => secret,
    decrypt: async () => secret,
    generateKeyPair: async () => ({ publicKey: new Uint8Array([1]), privateKey: secret }),
    async encrypt() {
      if (failing) throw new Failure('KeyUnavailable')
      return { iv: new Uint8Array(12), ciphertext: new Uint8Array(48) }
    },
  }
}

async function afterwards(operation: AnyOperation, input: object, failing: boolean): Promise<Uint8Array> {
  const secret = new Uint8Array(32).fill(7)
  const hsms = { named: () => hsmWith(secret, failing) }
  const storage = {
    encryptions: new EncryptionCounts({ written: new Map(), slack: 1, store: async () => ({ counts: [], others: 0 }) }),
  }
  const source = { key, material, algorithm: 'SYMMETRIC_DEFAULT' }
  const target = { key, source, destination: { key }, destinationAlgorithm: 'SYMMETRIC_DEFAULT' }
  const run = operation.run({ input, target, hsms, storage } as unknown as Parameters<AnyOperation['run']>[0])
  if (failing) await expect(run).rejects.toMatchObject({ code: 'KeyUnavailable' })
  else await run
  return secret
}

const wiped = new Uint8Array(32)
const CiphertextBlob = Buffer.concat([encodeHeader(material!.id, 12), Buffer.alloc(12 + 16)])

describe.each<[AnyOperation, object]>([
  [generateDataKeyWithoutPlaintext, { KeySpec: 'AES_256' }],
  [generateDataKeyPairWithoutPlaintext, { KeyPairSpec: 'RSA_2048' }],
  [reEncrypt, { CiphertextBlob }],
])('a plaintext that is not returned', (operation, input) => {
  it(`is wiped by ${operation.name}, whether it succeeds or fails`, async () => {
    expect(await afterwards(operation, input, false)).toEqual(wiped)
    expect(await afterwards(operation, input, true)).toEqual(wiped)
  })
})

it('a private key that could not be encrypted is wiped, and one that is returned is complete', async () => {
  const input = { KeyPairSpec: 'ECC_NIST_P256' }
  expect(await afterwards(generateDataKeyPair, input, true)).toEqual(wiped)
  expect(await afterwards(generateDataKeyPair, input, false)).not.toEqual(wiped)
})
