/** Public keys: from attributes of the token to DER SubjectPublicKeyInfo, and back. */
import { createPublicKey, type JsonWebKey } from 'node:crypto'
import pkcs11js from 'pkcs11js'
import type { Template } from './cryptoki.ts'
import { bitString, integer, nothing, octetString, oid, sequence } from './der.ts'
import type { Curve, KeyMechanism } from './mechanisms.ts'

/** Contents, in hex: RFC 8017, appendix A.1, and RFC 5480, section 2.1.1. */
export const rsaEncryption = '2a864886f70d010101'
export const ecPublicKey = '2a8648ce3d0201'

type Read = (attribute: number) => Buffer

/** RFC 5280, section 4.1.2.7; RSA as in RFC 3279, EC as in RFC 5480, Ed25519 as in RFC 8410, ML-DSA as in RFC 9881. */
export function subjectPublicKeyInfo(key: KeyMechanism, read: Read): Buffer {
  const { curve, algorithmOid } = key
  if (curve !== undefined)
    return sequence(curveAlgorithm(curve), bitString(pointOf(curve, read(pkcs11js.CKA_EC_POINT))))
  if (algorithmOid !== undefined) return sequence(sequence(oid(algorithmOid)), bitString(read(pkcs11js.CKA_VALUE)))
  const numbers = sequence(integer(read(pkcs11js.CKA_MODULUS)), integer(read(pkcs11js.CKA_PUBLIC_EXPONENT)))
  return sequence(sequence(oid(rsaEncryption), nothing()), bitString(numbers))
}

export function curveAlgorithm({ oid: name, form }: Curve): Buffer {
  return form === 'Edwards' ? sequence(oid(name)) : sequence(oid(ecPublicKey), oid(name))
}

function pointLength({ coordinate, form }: Curve): number {
  return form === 'Edwards' ? coordinate : 1 + 2 * coordinate
}

/** In PKCS#11 the point is in an OCTET STRING; older tokens return it without. */
function pointOf(curve: Curve, attribute: Buffer): Buffer {
  const length = pointLength(curve)
  if (attribute.length < length) throw new Error('the HSM returned a public key that is not a point of its curve')
  return Buffer.from(attribute.subarray(attribute.length - length))
}

/** The point in a SubjectPublicKeyInfo: its last bytes. */
export function peerPoint(curve: Curve, publicKey: Buffer): Buffer {
  return Buffer.from(publicKey.subarray(publicKey.length - pointLength(curve)))
}

/** The attributes of a public key, for C_CreateObject. */
export function publicKeyAttributes({ curve, parameters, algorithmOid }: KeyMechanism, publicKey: Buffer): Template {
  if (curve !== undefined) {
    return [...parameters, [pkcs11js.CKA_EC_POINT, octetString(peerPoint(curve, publicKey))]]
  }
  const jwk = createPublicKey({ key: publicKey, format: 'der', type: 'spki' }).export({ format: 'jwk' })
  if (algorithmOid !== undefined) return [...parameters, [pkcs11js.CKA_VALUE, bytesOf(jwk, 'pub')]]
  return [
    [pkcs11js.CKA_MODULUS, bytesOf(jwk, 'n')],
    [pkcs11js.CKA_PUBLIC_EXPONENT, bytesOf(jwk, 'e')],
  ]
}

function bytesOf(jwk: JsonWebKey, member: string): Buffer {
  return Buffer.from(String(jwk[member]), 'base64url')
}
