/** The worker's side of each message: unpacks a request, asks the HSM, packs its answer. */
import type { SupportedKeySpec } from '../model/key-spec.ts'
import {
  type CallName,
  calls,
  decodeDecrypt,
  decodeEncrypt,
  decodeJson,
  decodeParts,
  decodeRandom,
  encodeBoolean,
  encodeJson,
  encodeParts,
  encodeSealed,
  type InspectionRequest,
  type KeyRequest,
  type PublicKeyUse,
} from './messages.ts'
import type { Pkcs11 } from './pkcs11.ts'

type Handler = (hsm: Pkcs11, payload: Buffer) => Buffer | Promise<Buffer>

const handlers: Readonly<Record<CallName, Handler>> = {
  encrypt(hsm, payload) {
    const { material, plaintext, aad } = decodeEncrypt(payload)
    return encodeSealed(hsm.encrypt(material, plaintext, aad))
  },
  decrypt(hsm, payload) {
    const { material, iv, ciphertext, aad } = decodeDecrypt(payload)
    return hsm.decrypt(material, iv, ciphertext, aad)
  },
  random: (hsm, payload) => hsm.random(decodeRandom(payload)),
  async generateKey(hsm, payload) {
    const { material, spec, usage, label } = decodeJson<KeyRequest>(payload)
    const { custody, publicKey, checkValue } = await hsm.generateKey(material, spec, usage, label)
    return encodeParts(JSON.stringify(custody), publicKey ?? '', checkValue ?? '')
  },
  destroyKey(hsm, payload) {
    hsm.destroyKey(decodeJson<Pick<KeyRequest, 'material'>>(payload).material)
    return Buffer.alloc(0)
  },
  async inspectKey(hsm, payload) {
    const { look, publicKey, checkValue, ...key } = decodeJson<InspectionRequest>(payload)
    const held = { ...key, publicKey: optionalBytes(publicKey), checkValue: optionalBytes(checkValue) }
    return encodeJson(await hsm.inspectKey(held, look))
  },
  objects: hsm => encodeJson(hsm.objects()),
  generateKeyPair(hsm, payload) {
    const { publicKey, privateKey } = hsm.generateKeyPair(payload.toString() as SupportedKeySpec)
    const answer = encodeParts(publicKey, privateKey)
    privateKey.fill(0)
    return answer
  },
  encryptRaw(hsm, payload) {
    const [algorithm, plaintext, ...key] = decodeParts(payload) as [Buffer, Buffer, ...Buffer[]]
    return hsm.encryptRaw(publicKeyUse(key), text(algorithm), plaintext)
  },
  decryptRaw(hsm, payload) {
    const [algorithm, ciphertext, material, spec] = decodeParts(payload) as [Buffer, Buffer, Buffer, Buffer]
    return hsm.decryptRaw(text(material), text(spec), text(algorithm), ciphertext)
  },
  sign(hsm, payload) {
    const [algorithm, type, message, material, spec] = decodeParts(payload) as [Buffer, Buffer, Buffer, Buffer, Buffer]
    return hsm.sign(text(material), text(spec), text(algorithm), text(type), message)
  },
  verify(hsm, payload) {
    const [algorithm, type, message, signature, ...key] = decodeParts(payload) as [
      Buffer,
      Buffer,
      Buffer,
      Buffer,
      ...Buffer[],
    ]
    return encodeBoolean(hsm.verify(publicKeyUse(key), text(algorithm), text(type), message, signature))
  },
  generateMac(hsm, payload) {
    const [algorithm, message, material] = decodeParts(payload) as [Buffer, Buffer, Buffer]
    return hsm.generateMac(text(material), text(algorithm), message)
  },
  verifyMac(hsm, payload) {
    const [algorithm, message, mac, material] = decodeParts(payload) as [Buffer, Buffer, Buffer, Buffer]
    return encodeBoolean(hsm.verifyMac(text(material), text(algorithm), message, mac))
  },
  deriveSharedSecret(hsm, payload) {
    const [peer, material, spec] = decodeParts(payload) as [Buffer, Buffer, Buffer]
    return hsm.deriveSharedSecret(text(material), text(spec), peer)
  },
}

/** One of the names that the gateway has checked. */
function text<T extends string>(part: Buffer): T {
  return part.toString() as T
}

/** @param base64 */
function optionalBytes(base64: string | undefined): Buffer | undefined {
  return base64 === undefined ? undefined : Buffer.from(base64, 'base64')
}

function publicKeyUse([material, spec, publicKey]: readonly Buffer[]): PublicKeyUse {
  return { material: text(material!), spec: text(spec!), publicKey: publicKey! }
}

const handlersByKind = new Map<number, Handler>(
  Object.entries(calls).map(([name, { kind }]) => [kind, handlers[name as CallName]]),
)

/** @param kind of the request frame, one of `calls` */
export function handlerOf(kind: number): Handler {
  return handlersByKind.get(kind)!
}
