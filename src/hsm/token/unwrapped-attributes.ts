/** What the attributes of a key that the token has unwrapped say of it: nobody has seen its key material. */
import pkcs11js from 'pkcs11js'
import type { SupportedKeySpec } from '../../model/keys/key-spec.ts'
import { tags } from './der.ts'
import { checkModulus, incorrect } from './key-material.ts'
import { trimmed } from './magnitudes.ts'
import { isPair, type KeyMechanism, namedCurve } from './mechanisms.ts'
import { checkRsaPublicNumbers } from './rsa-numbers.ts'
import type { KeyInUse } from './steps.ts'

/** Throws IncorrectKeyMaterial unless the object is a key of that spec: type, length or curve, public numbers. */
export function checkUnwrapped(
  { cryptoki, session, key }: KeyInUse,
  spec: SupportedKeySpec,
  mechanism: KeyMechanism,
): void {
  const read = (type: number) => cryptoki.attribute(session, key, type)
  const isOfType = read(pkcs11js.CKA_KEY_TYPE).readUInt32LE() === mechanism.keyType
  if (!isOfType) throw incorrect(`it is not a key of key spec ${spec}`)
  if (!isPair(mechanism)) return
  if (mechanism.curve !== undefined) checkCurve(spec, read(pkcs11js.CKA_EC_PARAMS), mechanism.curve.oid)
  else checkRsa(spec, trimmed(read(pkcs11js.CKA_MODULUS)), trimmed(read(pkcs11js.CKA_PUBLIC_EXPONENT)))
}

/** @param parameters ECParameters (RFC 5480, section 2.1.1), of which only a name is allowed: others can describe a weak curve */
function checkCurve(spec: SupportedKeySpec, parameters: Buffer, oid: string): void {
  if (parameters[0] !== tags.oid) throw incorrect('its curve is not named')
  if (!parameters.equals(namedCurve(oid))) throw incorrect(`its curve is not that of key spec ${spec}`)
}

function checkRsa(spec: SupportedKeySpec, modulus: Buffer, publicExponent: Buffer): void {
  checkModulus(spec, modulus)
  const fault = checkRsaPublicNumbers({ modulus, publicExponent })
  if (fault !== undefined) throw incorrect(fault)
}
