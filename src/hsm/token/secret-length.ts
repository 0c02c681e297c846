/** How long a secret key is that the token has unwrapped. */
import pkcs11js from 'pkcs11js'
import type { Profile } from '../profiles/profile.ts'
import { isRefusal } from './bad-input.ts'
import type { Handle, Template } from './cryptoki.ts'
import type { Lengths } from './key-material.ts'
import { keyMechanisms } from './mechanisms.ts'
import type { KeyInUse } from './steps.ts'
import { measuredTemplate, trialTemplate } from './templates.ts'

/** RFC 5649, section 4.1: 8 bytes of header; the key is padded to blocks of 8 bytes. */
const wrapBlock = 8
/** Of RSAES-OAEP in RSA_4096. */
const longestSecret = 512

/**
 * SoftHSM does not tell: there a copy is unwrapped that may be wrapped, under a key of the same session, and the length of that is the length
 * of the key, rounded up to a multiple of 8. The copy is a session object that nobody can read, and whoever may unwrap the key can make one.
 *
 * @param unwrap makes another object of the same key material
 * @param mechanisms CKM_* of AES key wrap with padding
 * @returns undefined if the token refuses that, or the key is empty
 */
export async function lengthOf(
  { cryptoki, session, key, profile }: KeyInUse & { readonly profile: Profile },
  unwrap: (template: Template) => Promise<Handle>,
  [mechanism]: readonly number[],
): Promise<Lengths | undefined> {
  const told = cryptoki.attributeIfAny(session, key, pkcs11js.CKA_VALUE_LEN)?.readUInt32LE() ?? 0
  if (told > 0) return { least: told, most: told }
  if (mechanism === undefined) return undefined
  const aes = keyMechanisms.SYMMETRIC_DEFAULT!
  const measured = async (): Promise<Lengths> => {
    const copy = await unwrap(measuredTemplate)
    const wrapping = cryptoki.generateKey(session, { mechanism: aes.generation }, trialTemplate(aes, 'WRAP'))
    const wrapped = cryptoki.wrapKey(session, { mechanism }, wrapping, copy, longestSecret + 2 * wrapBlock)
    const most = wrapped.length - wrapBlock
    return { least: most - wrapBlock + 1, most }
  }
  const refused = (error: unknown) => {
    if (isRefusal(error, profile)) return undefined
    throw error
  }
  // Some return codes of a refusal are those of a fault, too; only a refusal comes twice.
  return (await measured().catch(refused)) ?? measured().catch(refused)
}
