/** Keys that leave the token only under a wrapping key that its security officer has marked as trusted: CKA_WRAP_WITH_TRUSTED. */
import pkcs11js from 'pkcs11js'
import { Failure } from '../../errors.ts'
import type { Profile } from '../profiles/profile.ts'
import type { OaepHash } from '../public-key-crypto.ts'
import { CryptokiError } from '../return-codes.ts'
import { keyWrapsWithPadding } from './capabilities.ts'
import type { Connection } from './connection.ts'
import type { Cryptoki, Handle } from './cryptoki.ts'
import { keyMechanisms, rsaOaep } from './mechanisms.ts'
import { attempt, inSessionOfItsOwn } from './probe.ts'
import { publicKeyAttributes } from './public-keys.ts'
import type { KeyInUse } from './steps.ts'
import { trialTemplate, wrappedTemplates } from './templates.ts'

const aes = keyMechanisms.SYMMETRIC_DEFAULT!
const rsa = keyMechanisms.RSA_3072!
/** Bytes: of a modulus of 4096 bits, and more than an AES key takes in AES key wrap. */
const longestWrapped = 512

/**
 * Why the token does not protect such keys; undefined if it does: it wraps an ordinary key under an untrusted one, and refuses one that
 * only trusted keys may wrap. Tried with session keys. Rejects with the error of the token if it is lost or busy.
 */
export async function whyNoWrapWithTrusted(
  connection: Pick<Connection, 'cryptoki' | 'slot'>,
  profile: Profile,
): Promise<string | undefined> {
  const { cryptoki, slot } = connection
  const mechanisms = [...keyWrapsWithPadding(profile, new Set(cryptoki.mechanisms(slot))), pkcs11js.CKM_AES_KEY_WRAP]
  const { value, refusal } = await attempt(profile, () =>
    inSessionOfItsOwn(connection, async session => {
      const make = (template: Parameters<Cryptoki['generateKey']>[2]) =>
        cryptoki.generateKey(session, { mechanism: aes.generation }, template)
      const wrapping = make(trialTemplate(aes, 'WRAP'))
      const { byAny, byTrusted } = wrappedTemplates(aes)
      const [ordinary, guarded] = [make(byAny), make(byTrusted)]
      for (const mechanism of mechanisms) {
        const wrap = (key: Handle) =>
          attempt(profile, async () => cryptoki.wrapKey(session, { mechanism }, wrapping, key, longestWrapped))
        if ((await wrap(ordinary)).refusal !== undefined) continue
        return (await wrap(guarded)).refusal === undefined ? 'any key may wrap any other' : undefined
      }
      return 'it wraps no key with AES key wrap, so this cannot be tried'
    }),
  )
  return refusal === undefined ? value : `it has no such keys (${refusal})`
}

/** Its public keys with that modulus which are trusted and wrap. They are public objects: no login is needed. */
export function trustedKeys(
  { cryptoki, session }: Pick<KeyInUse, 'cryptoki' | 'session'>,
  publicKey: Buffer,
): readonly Handle[] {
  const [modulus] = publicKeyAttributes(rsa, publicKey)
  const found = cryptoki.findObjects(session, [[pkcs11js.CKA_CLASS, pkcs11js.CKO_PUBLIC_KEY], modulus!])
  const isSet = (key: Handle, type: number) => cryptoki.flag(session, key, type)
  return found.filter(key => isSet(key, pkcs11js.CKA_TRUSTED) && isSet(key, pkcs11js.CKA_WRAP))
}

/** That the key may not leave the token so: PKCS#11 v2.40, section 5.14. */
const unwrappable: ReadonlySet<string> = new Set(['CKR_KEY_NOT_WRAPPABLE', 'CKR_KEY_UNEXTRACTABLE'])

/** RSAES-OAEP. Undefined if the token has no such trusted key. Throws UnsupportedOperation if that may not wrap the key. */
export function wrapUnderTrusted(object: KeyInUse, publicKey: Buffer, hash: OaepHash): Buffer | undefined {
  const { cryptoki, session, key } = object
  const [trusted] = trustedKeys(object, publicKey)
  if (trusted === undefined) return undefined
  try {
    return cryptoki.wrapKey(session, rsaOaep(hash), trusted, key, longestWrapped)
  } catch (error) {
    if (!(error instanceof CryptokiError) || !unwrappable.has(error.returnCode)) throw error
    throw new Failure('UnsupportedOperation', `The HSM does not wrap the key: ${error.returnCode}.`, { cause: error })
  }
}
