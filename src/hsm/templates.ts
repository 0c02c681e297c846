/** PKCS#11 attribute templates: what a key is born with, by key spec. */
import pkcs11js from 'pkcs11js'
import type { SupportedKeySpec } from '../model/key-spec.ts'
import type { Template } from './cryptoki.ts'
import type { Profile } from './profiles/profile.ts'

/** Class, type, size and usages of a key; every usage that is not its own is denied. */
const kinds: Readonly<Record<SupportedKeySpec, Template>> = {
  SYMMETRIC_DEFAULT: [
    [pkcs11js.CKA_CLASS, pkcs11js.CKO_SECRET_KEY],
    [pkcs11js.CKA_KEY_TYPE, pkcs11js.CKK_AES],
    [pkcs11js.CKA_VALUE_LEN, 32],
    [pkcs11js.CKA_ENCRYPT, true],
    [pkcs11js.CKA_DECRYPT, true],
    [pkcs11js.CKA_SIGN, false],
    [pkcs11js.CKA_VERIFY, false],
    [pkcs11js.CKA_WRAP, false],
    [pkcs11js.CKA_UNWRAP, false],
    [pkcs11js.CKA_DERIVE, false],
  ],
}

/** The material never leaves the token in the clear, nor at all. */
const custody: Template = [
  [pkcs11js.CKA_PRIVATE, true],
  [pkcs11js.CKA_SENSITIVE, true],
  [pkcs11js.CKA_EXTRACTABLE, false],
]

/** @param id bytes of CKA_ID */
export function keyTemplate(spec: SupportedKeySpec, id: Buffer, label: string, profile: Profile): Template {
  return [
    ...kinds[spec],
    ...custody,
    [pkcs11js.CKA_TOKEN, true],
    [pkcs11js.CKA_ID, id],
    [pkcs11js.CKA_LABEL, label],
    ...(profile.modifiable ? [[pkcs11js.CKA_MODIFIABLE, false] as const] : []),
    ...(profile.copyable ? [[pkcs11js.CKA_COPYABLE, false] as const] : []),
  ]
}

/** A key that lives in the session only, to try out what the token can do. */
export function trialTemplate(spec: SupportedKeySpec): Template {
  return [...kinds[spec], ...custody, [pkcs11js.CKA_TOKEN, false]]
}
