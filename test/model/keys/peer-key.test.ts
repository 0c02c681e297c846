import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { keySpecs, type SupportedKeySpec } from '../../../src/model/keys/key-spec.ts'
import { checkPeerKey } from '../../../src/model/keys/peer-key.ts'

type Curve = 'prime256v1' | 'secp384r1' | 'secp521r1' | 'SM2' | 'secp256k1' | 'brainpoolP256r1'

const der = (key: KeyObject) => key.export({ format: 'der', type: 'spki' })
const onCurve = (namedCurve: Curve) => der(generateKeyPairSync('ec', { namedCurve }).publicKey)

const specs: readonly [SupportedKeySpec, Curve][] = [
  ['ECC_NIST_P256', 'prime256v1'],
  ['ECC_NIST_P384', 'secp384r1'],
  ['ECC_NIST_P521', 'secp521r1'],
  ['SM2', 'SM2'],
]

describe.each(specs)('the other party’s key for %s', (spec, curve) => {
  const refused = (peer: Uint8Array) =>
    expect(() => checkPeerKey(spec, peer)).toThrow(expect.objectContaining({ code: 'Validation', message: '' }))

  it('is a point on the curve', () => {
    for (let i = 0; i < 10; i++) checkPeerKey(spec, onCurve(curve))
  })

  it.each([
    ...specs.map(([, other]) => other).filter(other => other !== curve),
    'secp256k1',
    'brainpoolP256r1',
  ] as const)('is not on %s', other => refused(onCurve(other)))

  it('is not a point off the curve', () => {
    const peer = onCurve(curve)
    peer[peer.length - 1]! ^= 1
    refused(peer)
  })

  it('is not the point at infinity', () => {
    const [, algorithm] = /^30(?:81)?..(30(?:10|13).*?)03(?:81)?..0004/.exec(onCurve(curve).toString('hex'))!
    const infinity = Buffer.from(`${algorithm}03020000`, 'hex')
    refused(Buffer.concat([Buffer.from([0x30, infinity.length]), infinity]))
  })

  it('has no explicit curve parameters', () => {
    refused(der(generateKeyPairSync('ec', { namedCurve: curve, paramEncoding: 'explicit' }).publicKey))
  })

  it('is complete, and nothing follows it', () => {
    const peer = onCurve(curve)
    refused(peer.subarray(0, -1))
    refused(Buffer.concat([peer, Buffer.alloc(1)]))
    refused(Buffer.alloc(peer.length))
    refused(new Uint8Array([0]))
  })

  it('is not of another kind', () => {
    refused(der(generateKeyPairSync('ed25519').publicKey))
    refused(der(generateKeyPairSync('x25519').publicKey))
    refused(generateKeyPairSync('ec', { namedCurve: curve }).privateKey.export({ format: 'der', type: 'pkcs8' }))
  })
})

it('is known for every key spec for key agreement', () => {
  const agreeing = Object.entries(keySpecs).filter(
    ([, { keyAgreementAlgorithms }]) => keyAgreementAlgorithms.length > 0,
  )
  expect(agreeing.map(([spec]) => spec)).toEqual(specs.map(([spec]) => spec))
})

it('is refused for keys of another usage', () => {
  expect(() => checkPeerKey('ECC_SECG_P256K1', onCurve('secp256k1'))).toThrow()
})
