import { createPublicKey } from 'node:crypto'
import { Failure } from '../../errors.ts'
import type { SupportedKeySpec } from './key-spec.ts'

/**
 * The DER SubjectPublicKeyInfo before the coordinates: the named curve, and the prefix of an uncompressed point (RFC 5480, section 2). The
 * two coordinates follow.
 */
const curves: Readonly<Partial<Record<SupportedKeySpec, { readonly start: Buffer; readonly coordinates: number }>>> = {
  ECC_NIST_P256: curve('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 2 * 32),
  ECC_NIST_P384: curve('3076301006072a8648ce3d020106052b8104002203620004', 2 * 48),
  ECC_NIST_P521: curve('30819b301006072a8648ce3d020106052b810400230381860004', 2 * 66),
  SM2: curve('3059301306072a8648ce3d020106082a811ccf5501822d03420004', 2 * 32),
}

function curve(start: string, coordinates: number) {
  return { start: Buffer.from(start, 'hex'), coordinates }
}

/**
 * Throws Validation, without text, for anything but a public key on the curve of the spec. Another point, at infinity or off the curve,
 * would leak information about the private key: NIST SP 800-56A, section 5.6.2.3.
 * @param peer DER SubjectPublicKeyInfo
 */
export function checkPeerKey(spec: SupportedKeySpec, peer: Uint8Array): void {
  const der = Buffer.from(peer)
  const expected = curves[spec]
  if (
    expected === undefined ||
    der.length !== expected.start.length + expected.coordinates ||
    !der.subarray(0, expected.start.length).equals(expected.start) ||
    !isOnCurve(der)
  ) {
    throw new Failure('Validation')
  }
}

/** OpenSSL rejects a point that is not on the curve. */
function isOnCurve(der: Buffer): boolean {
  try {
    createPublicKey({ key: der, format: 'der', type: 'spki' })
    return true
  } catch {
    return false
  }
}
