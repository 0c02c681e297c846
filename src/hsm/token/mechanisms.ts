/** PKCS#11 mechanisms and their parameters, for the generation of keys and for each algorithm. */
import pkcs11js from 'pkcs11js'
import type { SupportedKeySpec } from '../../model/keys/key-spec.ts'
import type { OaepHash } from '../public-key-crypto.ts'
import type { Mechanism, Template } from './cryptoki.ts'

/** How to generate keys of a spec. */
export interface KeyMechanism {
  readonly generation: number
  /** CKK_*. */
  readonly keyType: number
  /** Size or curve, in the template of the secret or of the public key. */
  readonly parameters: Template
  /** Only of elliptic curves, where the public key is a point. */
  readonly curve?: Curve
  /** AlgorithmIdentifier (RFC 5280, section 4.1.1.2) of the public key where that is neither RSA nor a point: OID contents in hex. */
  readonly algorithmOid?: string
}

export interface Curve {
  /** In OpenSSL. */
  readonly name: string
  /** Contents of its OID, in hex. */
  readonly oid: string
  /** Bytes of one coordinate. */
  readonly coordinate: number
  /** Edwards curves have points of one coordinate (RFC 8032), the others are uncompressed (SEC 1, section 2.3.3). */
  readonly form: 'uncompressed' | 'Edwards'
}

/** PKCS#11 v3.0, section 2.3: pkcs11js has no names for these. */
const CKM_EC_EDWARDS_KEY_PAIR_GEN = 0x1055
const CKM_EDDSA = 0x1057
const CKK_EC_EDWARDS = 0x40
/** PKCS#11 v2.40, table 10. */
const CKZ_DATA_SPECIFIED = 1
/** PKCS#11 v3.2, section 6.67, ML-DSA. */
const CKM_ML_DSA_KEY_PAIR_GEN = 0x1c
const CKM_ML_DSA = 0x1d
const CKK_ML_DSA = 0x4a
const CKA_PARAMETER_SET = 0x61d
/** PKCS#11 v3.2, section 6.68, ML-KEM. */
const CKM_ML_KEM_KEY_PAIR_GEN = 0x0f
const CKK_ML_KEM = 0x49

function secret(keyType: number, generation: number, bytes: number): KeyMechanism {
  return { generation, keyType, parameters: [[pkcs11js.CKA_VALUE_LEN, bytes]] }
}

/** As long as its MAC. */
function hmac(bits: number): KeyMechanism {
  return secret(pkcs11js.CKK_GENERIC_SECRET, pkcs11js.CKM_GENERIC_SECRET_KEY_GEN, bits / 8)
}

function rsa(bits: number): KeyMechanism {
  return {
    generation: pkcs11js.CKM_RSA_PKCS_KEY_PAIR_GEN,
    keyType: pkcs11js.CKK_RSA,
    parameters: [
      [pkcs11js.CKA_MODULUS_BITS, bits],
      [pkcs11js.CKA_PUBLIC_EXPONENT, Buffer.from([1, 0, 1])],
    ],
  }
}

function weierstrass(name: string, oid: string, bits: number): KeyMechanism {
  return {
    generation: pkcs11js.CKM_EC_KEY_PAIR_GEN,
    keyType: pkcs11js.CKK_EC,
    parameters: [[pkcs11js.CKA_EC_PARAMS, namedCurve(oid)]],
    curve: { name, oid, coordinate: Math.ceil(bits / 8), form: 'uncompressed' },
  }
}

function edwards(name: string, oid: string, bits: number): KeyMechanism {
  return {
    generation: CKM_EC_EDWARDS_KEY_PAIR_GEN,
    keyType: CKK_EC_EDWARDS,
    parameters: [[pkcs11js.CKA_EC_PARAMS, namedCurve(oid)]],
    curve: { name, oid, coordinate: Math.ceil(bits / 8), form: 'Edwards' },
  }
}

/** namedCurve of RFC 3279, section 2.3.5, in DER. */
export function namedCurve(oid: string): Buffer {
  return Buffer.from([0x06, oid.length / 2, ...Buffer.from(oid, 'hex')])
}

/** @param parameterSet CKP_ML_DSA_* */
function mlDsa(parameterSet: number, algorithmOid: string): KeyMechanism {
  return {
    generation: CKM_ML_DSA_KEY_PAIR_GEN,
    keyType: CKK_ML_DSA,
    parameters: [[CKA_PARAMETER_SET, parameterSet]],
    algorithmOid,
  }
}

/** @param parameterSet CKP_ML_KEM_* */
function mlKem(parameterSet: number, algorithmOid: string): KeyMechanism {
  return {
    generation: CKM_ML_KEM_KEY_PAIR_GEN,
    keyType: CKK_ML_KEM,
    parameters: [[CKA_PARAMETER_SET, parameterSet]],
    algorithmOid,
  }
}

/** One row for every key spec that PKCS#11 has mechanisms for. */
// biome-ignore format: a table
export const keyMechanisms: Readonly<Partial<Record<SupportedKeySpec, KeyMechanism>>> = {
  SYMMETRIC_DEFAULT:     secret(pkcs11js.CKK_AES, pkcs11js.CKM_AES_KEY_GEN, 32),
  RSA_2048:              rsa(2048),
  RSA_3072:              rsa(3072),
  RSA_4096:              rsa(4096),
  ECC_NIST_P256:         weierstrass('prime256v1', '2a8648ce3d030107', 256),
  ECC_NIST_P384:         weierstrass('secp384r1', '2b81040022', 384),
  ECC_NIST_P521:         weierstrass('secp521r1', '2b81040023', 521),
  ECC_SECG_P256K1:       weierstrass('secp256k1', '2b8104000a', 256),
  ECC_NIST_EDWARDS25519: edwards('ed25519', '2b6570', 256),
  ML_DSA_44:             mlDsa(1, '608648016503040311'),
  ML_DSA_65:             mlDsa(2, '608648016503040312'),
  ML_DSA_87:             mlDsa(3, '608648016503040313'),
  ML_KEM_512:            mlKem(1, '608648016503040401'),
  ML_KEM_768:            mlKem(2, '608648016503040402'),
  ML_KEM_1024:           mlKem(3, '608648016503040403'),
  HMAC_224:              hmac(224),
  HMAC_256:              hmac(256),
  HMAC_384:              hmac(384),
  HMAC_512:              hmac(512),
}

export function isPair({ keyType }: KeyMechanism): boolean {
  return keyType !== pkcs11js.CKK_AES && keyType !== pkcs11js.CKK_GENERIC_SECRET
}

/** Bytes, of an RSA key. */
export function modulusLength(spec: SupportedKeySpec): number {
  const [, bits] = keyMechanisms[spec]!.parameters.find(([type]) => type === pkcs11js.CKA_MODULUS_BITS)!
  return Number(bits) / 8
}

const hashes = {
  sha1: { mechanism: pkcs11js.CKM_SHA_1, mgf: pkcs11js.CKG_MGF1_SHA1, bytes: 20 },
  sha256: { mechanism: pkcs11js.CKM_SHA256, mgf: pkcs11js.CKG_MGF1_SHA256, bytes: 32 },
  sha384: { mechanism: pkcs11js.CKM_SHA384, mgf: pkcs11js.CKG_MGF1_SHA384, bytes: 48 },
  sha512: { mechanism: pkcs11js.CKM_SHA512, mgf: pkcs11js.CKG_MGF1_SHA512, bytes: 64 },
} as const

/** Of a digest, with a salt of its length: PKCS#11 v2.40, section 2.1.10. */
export function rsaPss(hash: 'sha256' | 'sha384' | 'sha512'): Mechanism {
  const { mechanism: hashAlg, mgf, bytes } = hashes[hash]
  const parameter = { type: pkcs11js.CK_PARAMS_RSA_PSS, hashAlg, mgf, saltLen: bytes } satisfies pkcs11js.RsaPSS
  return { mechanism: pkcs11js.CKM_RSA_PKCS_PSS, parameter }
}

/** With the empty label and the same hash in MGF1: PKCS#11 v2.40, section 2.1.8. */
export function rsaOaep(hash: OaepHash): Mechanism {
  const { mechanism: hashAlg, mgf } = hashes[hash]
  const parameter = {
    type: pkcs11js.CK_PARAMS_RSA_OAEP,
    hashAlg,
    mgf,
    source: CKZ_DATA_SPECIFIED,
  } satisfies pkcs11js.RsaOAEP
  return { mechanism: pkcs11js.CKM_RSA_PKCS_OAEP, parameter }
}

/** AES key wrap with padding: RFC 5649, or CBC with PKCS#7 padding. The IV is of one key that is used once. */
export function keyWrap(mechanism: number, iv: Buffer): Mechanism {
  return mechanism === pkcs11js.CKM_AES_CBC_PAD ? { mechanism, parameter: iv } : { mechanism }
}

export const rsaRaw: Mechanism = { mechanism: pkcs11js.CKM_RSA_X_509 }
export const rsaPkcs1: Mechanism = { mechanism: pkcs11js.CKM_RSA_PKCS }
/** Of a digest. */
export const ecdsa: Mechanism = { mechanism: pkcs11js.CKM_ECDSA }
/** Without parameters it is pure Ed25519: PKCS#11 v3.0, table 37. */
export const eddsa: Mechanism = { mechanism: CKM_EDDSA }
/** Without parameters the context is empty and the signature hedged. */
export const mlDsaSignature: Mechanism = { mechanism: CKM_ML_DSA }

/** The x-coordinate as it is. @param point of the other party, as it stands in its key */
export function ecdh(point: Buffer): Mechanism {
  const parameter = {
    type: pkcs11js.CK_PARAMS_EC_DH,
    kdf: pkcs11js.CKD_NULL,
    publicData: point,
  } satisfies pkcs11js.ECDH1
  return { mechanism: pkcs11js.CKM_ECDH1_DERIVE, parameter }
}

/** By MAC algorithm; bytes of the MAC. */
export const macs = {
  HMAC_SHA_224: { mechanism: { mechanism: pkcs11js.CKM_SHA224_HMAC }, bytes: 28 },
  HMAC_SHA_256: { mechanism: { mechanism: pkcs11js.CKM_SHA256_HMAC }, bytes: 32 },
  HMAC_SHA_384: { mechanism: { mechanism: pkcs11js.CKM_SHA384_HMAC }, bytes: 48 },
  HMAC_SHA_512: { mechanism: { mechanism: pkcs11js.CKM_SHA512_HMAC }, bytes: 64 },
} as const
