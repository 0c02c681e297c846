/**
 * A value that only one key has, the same at every import and on every HSM: it shows whether key material is the same as before. It is made
 * from what the key does, so that no key material has to leave the token.
 */
import { hash } from 'node:crypto'
import pkcs11js from 'pkcs11js'
import { keySpecs, type SupportedKeySpec } from '../../model/keys/key-spec.ts'
import { isRefusal } from './bad-input.ts'
import type { Mechanism } from './cryptoki.ts'
import type { GeneratedObject } from './key-generation.ts'
import type { ObjectInUse } from './proof.ts'

/** @param checkValue of an HMAC key the MAC of a fixed text: see proof.ts */
export async function fingerprintOf(
  object: ObjectInUse,
  spec: SupportedKeySpec,
  { publicKey, checkValue }: Pick<GeneratedObject, 'publicKey' | 'checkValue'>,
): Promise<Buffer> {
  const own = { asymmetric: publicKey, HMAC: checkValue, symmetric: undefined }[keySpecs[spec].type]
  return hash('sha256', own ?? (await encryptedBlocks(object)), 'buffer')
}

/**
 * Two blocks, as 2^64 trials find two keys that encrypt one block alike. AES-GCM encrypts the zero block for its hash key, and counter blocks
 * for its key stream (NIST SP 800-38D, section 7.1). These are neither: with an IV of 96 bits the last 32 bits of a counter block are the
 * number of a block in its message, a few hundred at most, and here they are text; with another IV it is a random block.
 */
const blocks = [Buffer.from('strongroom key 1'), Buffer.from('strongroom key 2')]

const ecb: Mechanism = { mechanism: pkcs11js.CKM_AES_ECB }
/** Of one block with the zero IV it is the same as ECB. */
const cbc: Mechanism = { mechanism: pkcs11js.CKM_AES_CBC, parameter: Buffer.alloc(16) }

async function encryptedBlocks(object: ObjectInUse): Promise<Buffer> {
  try {
    return await encrypted(object, ecb)
  } catch (error) {
    if (!isRefusal(error, object.profile)) throw error
    return encrypted(object, cbc)
  }
}

async function encrypted({ cryptoki, session, key }: ObjectInUse, mechanism: Mechanism): Promise<Buffer> {
  const all: Buffer[] = []
  for (const block of blocks) all.push(await cryptoki.encrypt(session, mechanism, key, block, block.length))
  return Buffer.concat(all)
}
