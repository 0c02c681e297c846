/** Signing algorithms of KMS in terms of PKCS#11: mechanism, input, and form of the signature. */
import { hash } from 'node:crypto'
import type { MessageType, SigningAlgorithmSpec } from '@aws-sdk/client-kms'
import { checkAbilities, signingAbilities, whyUnsupportedAnywhere } from '../../model/keys/ability.ts'
import type { SupportedKeySpec } from '../../model/keys/key-spec.ts'
import { type SigningAlgorithmRow, signingAlgorithms } from '../../model/keys/signing-algorithm.ts'
import type { Mechanism } from './cryptoki.ts'
import { ecdsaFromDer, ecdsaToDer } from './ecdsa-signature.ts'
import { ecdsa, eddsa, keyMechanisms, mlDsaSignature, rsaPkcs1, rsaPss } from './mechanisms.ts'

export interface Signing {
  readonly mechanism: Mechanism
  /** What the token signs. */
  readonly input: Buffer
  /** At least the bytes of the token's signature. */
  readonly length: number
  /** From the token's form of a signature to that of KMS. */
  toKms(signature: Buffer): Buffer
  /** The other way; undefined for what cannot be a signature. */
  toToken(signature: Buffer): Buffer | undefined
}

const asItIs = { toKms: (signature: Buffer) => signature, toToken: (signature: Buffer) => signature }
const longestModulus = 512
/** Of ML-DSA-87: FIPS 204, table 2. */
const longestMlDsaSignature = 4627

/** What comes before the digest in DER DigestInfo: RFC 8017, section 9.2, note 1. */
const digestInfo = {
  sha256: Buffer.from('3031300d060960864801650304020105000420', 'hex'),
  sha384: Buffer.from('3041300d060960864801650304020205000430', 'hex'),
  sha512: Buffer.from('3051300d060960864801650304020305000440', 'hex'),
}

/**
 * Messages are hashed here, so that every token signs in the same way. Throws UnsupportedOperation for algorithms that tokens do not
 * support, or would replace by another without an error.
 */
export function signing(
  spec: SupportedKeySpec,
  algorithm: SigningAlgorithmSpec,
  type: MessageType,
  message: Buffer,
): Signing {
  checkAbilities(whyUnsupportedAnywhere, signingAbilities(algorithm, type))
  const row = signingAlgorithms[algorithm]
  switch (row.scheme) {
    case 'PKCS1':
      return {
        ...asItIs,
        mechanism: rsaPkcs1,
        input: Buffer.concat([digestInfo[sha2(row)], digestOf(row, type, message)]),
        length: longestModulus,
      }
    case 'PSS':
      return {
        ...asItIs,
        mechanism: rsaPss(sha2(row)),
        input: digestOf(row, type, message),
        length: longestModulus,
      }
    case 'ECDSA': {
      const { coordinate } = keyMechanisms[spec]!.curve!
      return {
        mechanism: ecdsa,
        input: digestOf(row, type, message),
        length: 2 * coordinate,
        toKms: ecdsaToDer,
        toToken: signature => ecdsaFromDer(signature, coordinate),
      }
    }
    case 'Ed25519':
      return { ...asItIs, mechanism: eddsa, input: message, length: 64 }
    case 'ML-DSA':
      return { ...asItIs, mechanism: mlDsaSignature, input: message, length: longestMlDsaSignature }
    case 'Ed25519ph':
    case 'SM2':
      throw new TypeError(`there is no mechanism for ${algorithm}`)
  }
}

function sha2({ hash }: SigningAlgorithmRow): keyof typeof digestInfo {
  return hash as keyof typeof digestInfo
}

function digestOf({ hash: name }: SigningAlgorithmRow, type: MessageType, message: Buffer): Buffer {
  return type === 'RAW' ? hash(name!, message, 'buffer') : message
}
