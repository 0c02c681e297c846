/**
 * Key material that is to be imported: read strictly, and checked before the token sees it, as tokens accept keys that do not work, or that
 * give themselves away with the first signature.
 */
import { createECDH, createPrivateKey, createPublicKey, ECDH } from 'node:crypto'
import pkcs11js from 'pkcs11js'
import { Failure } from '../../errors.ts'
import { keySpecs, type SupportedKeySpec } from '../../model/keys/key-spec.ts'
import type { Template } from './cryptoki.ts'
import { bitString, type Element, element, elementsOf, integer, octetString, sequence, tags } from './der.ts'
import { type Curve, type KeyMechanism, modulusLength, namedCurve } from './mechanisms.ts'
import { privateKeyInfo } from './private-keys.ts'
import { curveAlgorithm, ecPublicKey, rsaEncryption, subjectPublicKeyInfo } from './public-keys.ts'
import { checkRsaNumbers, type RsaNumbers, rsaNumbersOf } from './rsa-numbers.ts'

export interface KeyMaterial {
  /** What is wrapped: the secret itself, or DER PrivateKeyInfo (RFC 5208, section 5), an EC key with its public key. */
  readonly wrapped: Buffer
  /** The same for C_CreateObject. */
  readonly attributes: Template
  /** DER SubjectPublicKeyInfo of a pair, computed from its private key. */
  readonly publicKey?: Buffer
}

/** Throws IncorrectKeyMaterial unless it is a key of that spec. Its result holds copies and views, to be wiped like the bytes. */
export function readKeyMaterial(spec: SupportedKeySpec, mechanism: KeyMechanism, bytes: Buffer): KeyMaterial {
  if (keySpecs[spec].type !== 'asymmetric') return secretKey(spec, mechanism, bytes)
  checkImportable(spec, mechanism)
  const parts = privateKeyParts(bytes)
  const material =
    mechanism.curve === undefined ? rsaKey(spec, mechanism, parts) : curveKey(spec, mechanism.curve, parts)
  checkStated(parts.publicKey, material.publicKey!)
  return material
}

/** Throws UnsupportedOperation. */
export function checkImportable(spec: SupportedKeySpec, { algorithmOid }: KeyMechanism): void {
  if (algorithmOid === undefined) return
  throw new Failure('UnsupportedOperation', `Key material of key spec ${spec} cannot be imported.`)
}

export function notImported(reason: string, cause?: unknown): Failure {
  return new Failure('UnsupportedOperation', `This HSM does not import such key material: ${reason}.`, { cause })
}

export function incorrect(reason: string, cause?: unknown): Failure {
  return new Failure('IncorrectKeyMaterial', `The key material is invalid: ${reason}.`, { cause })
}

function secretKey(spec: SupportedKeySpec, mechanism: KeyMechanism, bytes: Buffer): KeyMaterial {
  checkLength(spec, mechanism, { least: bytes.length, most: bytes.length })
  return { wrapped: bytes, attributes: [[pkcs11js.CKA_VALUE, bytes]] }
}

/** Bytes: KMS Developer Guide, "Requirements for imported key material". */
const longestHmacKey = 128

/** Bytes, both inclusive. */
export interface Lengths {
  readonly least: number
  readonly most: number
}

/** Throws IncorrectKeyMaterial. An HMAC key may be longer than a generated one. @param found lengths that the secret key may have */
export function checkLength(spec: SupportedKeySpec, { parameters }: KeyMechanism, found: Lengths): void {
  const least = Number(parameters.find(([type]) => type === pkcs11js.CKA_VALUE_LEN)![1])
  const most = keySpecs[spec].type === 'HMAC' ? longestHmacKey : least
  if (found.most >= least && found.least <= most) return
  throw incorrect(`a key of key spec ${spec} has ${shown({ least, most })} bytes, not ${shown(found)}`)
}

function shown({ least, most }: Lengths): string {
  return least === most ? String(least) : `${least} to ${most}`
}

/** Throws IncorrectKeyMaterial. @param modulus without leading zeros */
export function checkModulus(spec: SupportedKeySpec, modulus: Buffer): void {
  const bits = modulus.length * 8 - Math.clz32(modulus[0]!) + 24
  if (bits !== modulusLength(spec) * 8) throw incorrect(`a key of key spec ${spec} has no modulus of ${bits} bits`)
}

const notPkcs8 = 'it is not a private key in DER, PKCS #8'

interface PrivateKeyParts {
  readonly algorithm: readonly Element[]
  readonly privateKey: Buffer
  /** BIT STRING contents, of version 2 (RFC 5958). */
  readonly publicKey: Buffer | undefined
}

const attributesTag = 0xa0
const publicKeyTag = 0x81

/** RFC 5958, section 2. Attributes are ignored. */
function privateKeyParts(der: Buffer): PrivateKeyParts {
  const [whole, ...behind] = elementsOf(der) ?? []
  const parts = whole?.tag === tags.sequence && behind.length === 0 ? elementsOf(whole.value) : undefined
  const [version, algorithm, privateKey, ...optional] = parts ?? []
  const algorithmParts = algorithm?.tag === tags.sequence ? elementsOf(algorithm.value) : undefined
  const isPkcs8 =
    version?.tag === tags.integer &&
    version.value.length === 1 &&
    version.value[0]! <= 1 &&
    algorithmParts !== undefined &&
    privateKey?.tag === tags.octetString &&
    optional.every(({ tag }) => tag === attributesTag || tag === publicKeyTag)
  if (!isPkcs8) throw incorrect(notPkcs8)
  const publicKey = optional.find(({ tag }) => tag === publicKeyTag)?.value
  return { algorithm: algorithmParts, privateKey: privateKey.value, publicKey }
}

function isOid({ tag, value }: Element, oid: string): boolean {
  return tag === tags.oid && value.toString('hex') === oid
}

/** RFC 8017, appendix A.1.2. */
function rsaKey(
  spec: SupportedKeySpec,
  mechanism: KeyMechanism,
  { algorithm: [algorithm, parameters], privateKey }: PrivateKeyParts,
): KeyMaterial {
  if (algorithm === undefined || !isOid(algorithm, rsaEncryption)) throw incorrect('it is not an RSA key')
  if (parameters !== undefined && parameters.tag !== tags.null) throw incorrect(notPkcs8)
  const numbers = rsaNumbersOf(privateKey)
  if (numbers === undefined) throw incorrect(notPkcs8)
  checkModulus(spec, numbers.modulus)
  const fault = checkRsaNumbers(numbers)
  if (fault !== undefined) throw incorrect(fault)
  const attributes = rsaAttributes(numbers)
  // A copy, as it is wiped where it is packed.
  const read = (type: number) => Buffer.from(attributes.find(([other]) => other === type)![1] as Buffer)
  const publicKey = subjectPublicKeyInfo(mechanism, read)
  return { wrapped: privateKeyInfo(mechanism, read), attributes, publicKey }
}

function rsaAttributes(numbers: RsaNumbers): Template {
  return [
    [pkcs11js.CKA_MODULUS, numbers.modulus],
    [pkcs11js.CKA_PUBLIC_EXPONENT, numbers.publicExponent],
    [pkcs11js.CKA_PRIVATE_EXPONENT, numbers.privateExponent],
    [pkcs11js.CKA_PRIME_1, numbers.prime1],
    [pkcs11js.CKA_PRIME_2, numbers.prime2],
    [pkcs11js.CKA_EXPONENT_1, numbers.exponent1],
    [pkcs11js.CKA_EXPONENT_2, numbers.exponent2],
    [pkcs11js.CKA_COEFFICIENT, numbers.coefficient],
  ]
}

function curveKey(spec: SupportedKeySpec, curve: Curve, parts: PrivateKeyParts): KeyMaterial {
  const isEdwards = curve.form === 'Edwards'
  const [algorithm, parameters] = parts.algorithm
  if (algorithm === undefined || !isOid(algorithm, isEdwards ? curve.oid : ecPublicKey)) {
    throw incorrect(`it is not a key of key spec ${spec}`)
  }
  if (!isEdwards && parameters?.tag !== tags.oid) throw incorrect('its curve is not named')
  if (!isEdwards && !isOid(parameters!, curve.oid)) throw incorrect(`its curve is not that of key spec ${spec}`)
  const { value, point } = isEdwards ? edwardsKey(curve, parts) : weierstrassKey(curve, parts)
  return {
    wrapped: curvePrivateKeyInfo(curve, value, point),
    attributes: [
      [pkcs11js.CKA_EC_PARAMS, namedCurve(curve.oid)],
      [pkcs11js.CKA_VALUE, value],
    ],
    publicKey: curvePublicKey(curve, point),
  }
}

interface CurveKey {
  /** The number, or the seed of an Edwards curve. */
  readonly value: Buffer
  readonly point: Buffer
}

const [parametersTag, pointTag] = [0xa0, 0xa1]
const ecPrivateKeyVersion = 1

/** ECPrivateKey: RFC 5915, section 3. */
function weierstrassKey(curve: Curve, { privateKey }: PrivateKeyParts): CurveKey {
  const [whole, ...behind] = elementsOf(privateKey) ?? []
  const parts = whole?.tag === tags.sequence && behind.length === 0 ? elementsOf(whole.value) : undefined
  const [version, number, ...optional] = parts ?? []
  const isPrivateKey =
    version?.tag === tags.integer &&
    version.value.length === 1 &&
    version.value[0] === ecPrivateKeyVersion &&
    number?.tag === tags.octetString &&
    optional.every(({ tag }) => tag === parametersTag || tag === pointTag)
  if (!isPrivateKey) throw incorrect(notPkcs8)
  if (number.value.length !== curve.coordinate) {
    throw incorrect(`its private number has ${number.value.length} bytes, not ${curve.coordinate}`)
  }
  const parameters = optional.find(({ tag }) => tag === parametersTag)?.value
  if (parameters !== undefined && !parameters.equals(namedCurve(curve.oid))) throw incorrect('it names two curves')
  const stated = optional.find(({ tag }) => tag === pointTag)?.value
  const point = pointOf(curve, number.value)
  if (stated !== undefined) checkPoint(curve, stated, point)
  return { value: number.value, point }
}

function pointOf({ name }: Curve, number: Buffer): Buffer {
  const own = createECDH(name)
  try {
    own.setPrivateKey(number)
  } catch {
    throw incorrect('its private number is out of range')
  }
  return own.getPublicKey()
}

const mismatch = 'its public key is that of another private key'

/** @param stated BIT STRING of a point in whatever form */
function checkPoint({ name }: Curve, stated: Buffer, point: Buffer): void {
  const [bits, ...behind] = elementsOf(stated) ?? []
  if (bits?.tag !== tags.bitString || bits.value[0] !== 0 || behind.length > 0) throw incorrect(notPkcs8)
  let whole: unknown
  try {
    whole = ECDH.convertKey(bits.value.subarray(1), name, undefined, undefined, 'uncompressed')
  } catch {
    throw incorrect('its public key is not a point of its curve')
  }
  if (!point.equals(whole as Buffer)) throw incorrect(mismatch)
}

/** @param stated contents of a BIT STRING, if any. @param publicKey DER SubjectPublicKeyInfo */
function checkStated(stated: Buffer | undefined, publicKey: Buffer): void {
  const [whole] = elementsOf(publicKey)!
  const [, bits] = elementsOf(whole!.value)!
  if (stated !== undefined && !stated.equals(bits!.value)) throw incorrect(mismatch)
}

/** CurvePrivateKey: RFC 8410, section 7. */
function edwardsKey(curve: Curve, { privateKey }: PrivateKeyParts): CurveKey {
  const [seed, ...behind] = elementsOf(privateKey) ?? []
  if (seed?.tag !== tags.octetString || behind.length > 0) throw incorrect(notPkcs8)
  if (seed.value.length !== curve.coordinate) {
    throw incorrect(`its private key has ${seed.value.length} bytes, not ${curve.coordinate}`)
  }
  const key = curvePrivateKeyInfo(curve, seed.value)
  const own = createPublicKey(createPrivateKey({ key, format: 'der', type: 'pkcs8' }))
  key.fill(0)
  const point = own.export({ format: 'der', type: 'spki' }).subarray(-curve.coordinate)
  return { value: seed.value, point }
}

/** @param point stated too, as some tokens do not compute it */
function curvePrivateKeyInfo(curve: Curve, value: Buffer, point?: Buffer): Buffer {
  const own = octetString(Buffer.from(value))
  const key =
    curve.form === 'Edwards' || point === undefined
      ? own
      : sequence(integerOf(ecPrivateKeyVersion), own, element(pointTag, bitString(Buffer.from(point))))
  return sequence(integerOf(0), curveAlgorithm(curve), octetString(key))
}

function integerOf(small: number): Buffer {
  return integer(Buffer.from([small]))
}

function curvePublicKey(curve: Curve, point: Buffer): Buffer {
  return sequence(curveAlgorithm(curve), bitString(Buffer.from(point)))
}
