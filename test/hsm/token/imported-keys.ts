/** Keys whose value is known outside too, put on a token by another program: the gateway itself never does that. */
import { execFileSync } from 'node:child_process'
import type { JsonWebKey } from 'node:crypto'
import { join } from 'node:path'
import pkcs11js from 'pkcs11js'
import { keyMechanisms } from '../../../src/hsm/token/mechanisms.ts'
import type { SupportedKeySpec } from '../../../src/model/keys/key-spec.ts'
import { newMaterial } from '../../contracts/hsm.ts'
import type { SoftHsm } from '../softhsm.ts'

/** By number; bytes are in hex. */
export type WrittenAttributes = readonly (readonly [type: number, value: boolean | number | string])[]

export interface ImportedKey {
  /** CKA_ID. */
  readonly object: string
  readonly attributes: WrittenAttributes
}

const { CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY, CKA_DERIVE, CKA_VALUE } = pkcs11js

function key(
  objectClass: number,
  keyType: number,
  usages: readonly number[],
  attributes: WrittenAttributes,
): ImportedKey {
  const object = newMaterial()
  return {
    object,
    attributes: [
      [pkcs11js.CKA_CLASS, objectClass],
      [pkcs11js.CKA_KEY_TYPE, keyType],
      [pkcs11js.CKA_ID, object],
      [pkcs11js.CKA_TOKEN, true],
      [pkcs11js.CKA_PRIVATE, true],
      [pkcs11js.CKA_SENSITIVE, true],
      ...usages.map(usage => [usage, true] as const),
      ...attributes,
    ],
  }
}

/** @param value in hex */
export function aesKey(value: string): ImportedKey {
  return key(pkcs11js.CKO_SECRET_KEY, pkcs11js.CKK_AES, [CKA_ENCRYPT, CKA_DECRYPT], [[CKA_VALUE, value]])
}

/** @param value in hex */
export function hmacKey(value: string): ImportedKey {
  return key(pkcs11js.CKO_SECRET_KEY, pkcs11js.CKK_GENERIC_SECRET, [CKA_SIGN, CKA_VERIFY], [[CKA_VALUE, value]])
}

/** @param value the private key's number, or the seed of an Edwards curve, in hex */
export function curveKey(spec: SupportedKeySpec, usage: 'SIGN_VERIFY' | 'KEY_AGREEMENT', value: string): ImportedKey {
  const { keyType, parameters } = keyMechanisms[spec]!
  const curve = parameters.map(([type, name]) => [type, (name as Buffer).toString('hex')] as const)
  const usages = [usage === 'SIGN_VERIFY' ? CKA_SIGN : CKA_DERIVE]
  return key(pkcs11js.CKO_PRIVATE_KEY, keyType, usages, [...curve, [CKA_VALUE, value]])
}

const rsaNumbers = {
  n: pkcs11js.CKA_MODULUS,
  e: pkcs11js.CKA_PUBLIC_EXPONENT,
  d: pkcs11js.CKA_PRIVATE_EXPONENT,
  p: pkcs11js.CKA_PRIME_1,
  q: pkcs11js.CKA_PRIME_2,
  dp: pkcs11js.CKA_EXPONENT_1,
  dq: pkcs11js.CKA_EXPONENT_2,
  qi: pkcs11js.CKA_COEFFICIENT,
} as const

export function rsaKey(usage: 'SIGN_VERIFY' | 'ENCRYPT_DECRYPT', jwk: JsonWebKey): ImportedKey {
  const numbers = Object.entries(rsaNumbers).map(
    ([member, type]) => [type, Buffer.from(String(jwk[member]), 'base64url').toString('hex')] as const,
  )
  const usages = [usage === 'SIGN_VERIFY' ? CKA_SIGN : CKA_DECRYPT]
  return key(pkcs11js.CKO_PRIVATE_KEY, pkcs11js.CKK_RSA, usages, numbers)
}

/** Before anything else uses the token: SoftHSM hides it from a process that starts while another one logs in. */
export function importKeys({ options }: SoftHsm, keys: readonly ImportedKey[]): void {
  const { library, tokenLabel, pinFile, environment } = options
  const script = join(import.meta.dirname, 'import-keys.ts')
  execFileSync(process.execPath, [script, library, tokenLabel!, pinFile!], {
    env: environment,
    input: JSON.stringify(keys.map(({ attributes }) => attributes)),
  })
}
