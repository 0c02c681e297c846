import { createCipheriv, createHash, hash, randomBytes } from 'node:crypto'
import pkcs11js from 'pkcs11js'
import { describe, expect, it } from 'vitest'
import { profileOf } from '../../../src/hsm/profiles/find-profile.ts'
import { CryptokiError, returnCodes } from '../../../src/hsm/return-codes.ts'
import type { Cryptoki, Mechanism } from '../../../src/hsm/token/cryptoki.ts'
import { fingerprintOf } from '../../../src/hsm/token/fingerprint.ts'

const key = randomBytes(32)
const blocks = ['strongroom key 1', 'strongroom key 2'].map(text => Buffer.from(text))

/** A token with that AES key and these mechanisms, by OpenSSL. */
function holding(known: readonly number[]) {
  const encrypt = async (_session: Buffer, { mechanism, parameter }: Mechanism, _key: Buffer, block: Buffer) => {
    if (!known.includes(mechanism)) throw new CryptokiError('C_EncryptInit', returnCodes.CKR_MECHANISM_INVALID[0])
    const isEcb = mechanism === pkcs11js.CKM_AES_ECB
    const cipher = createCipheriv(isEcb ? 'aes-256-ecb' : 'aes-256-cbc', key, isEcb ? null : (parameter as Buffer))
    return cipher.setAutoPadding(false).update(block)
  }
  const cryptoki = { encrypt } as unknown as Cryptoki
  const none = Buffer.alloc(8)
  return { cryptoki, session: none, key: none, profile: profileOf('generic'), capabilities: { lacks: {} } }
}

describe('the fingerprint', () => {
  // Records hold it for as long as their keys exist, so it never changes.
  it('of an AES key is the hash of two blocks that it encrypts', async () => {
    const cipher = createCipheriv('aes-256-ecb', key, null)
    const expected = hash('sha256', cipher.update(Buffer.concat(blocks)), 'buffer')
    for (const known of [[pkcs11js.CKM_AES_ECB, pkcs11js.CKM_AES_CBC], [pkcs11js.CKM_AES_CBC]]) {
      expect(await fingerprintOf(holding(known), 'SYMMETRIC_DEFAULT', {})).toEqual(expected)
    }
  })

  it('of an AES key uses no block that AES-GCM uses with a 96-bit IV and a message of KMS', () => {
    const mostBlocks = (4096 + 16) / 16 + 2
    for (const block of blocks) {
      expect(block.readUInt32BE(12)).toBeGreaterThan(mostBlocks)
      expect(block).not.toEqual(Buffer.alloc(16))
    }
  })

  it('of other keys is the hash of their public key or check value', async () => {
    const [publicKey, checkValue] = [randomBytes(91), randomBytes(32)]
    const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest()
    expect(await fingerprintOf(holding([]), 'ECC_NIST_P256', { publicKey })).toEqual(sha256(publicKey))
    expect(await fingerprintOf(holding([]), 'HMAC_256', { checkValue })).toEqual(sha256(checkValue))
  })
})
