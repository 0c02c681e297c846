/** The worker's side of each message: unpacks a request, asks the HSM, packs its answer. */
import {
  type CallName,
  calls,
  decodeDecrypt,
  decodeEncrypt,
  decodeJson,
  decodeRandom,
  encodeJson,
  encodeSealed,
  type KeyRequest,
} from './messages.ts'
import type { Pkcs11 } from './pkcs11.ts'

type Handler = (hsm: Pkcs11, payload: Buffer) => Buffer

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
  generateKey(hsm, payload) {
    const { material, spec, label } = decodeJson<KeyRequest>(payload)
    return encodeJson(hsm.generateKey(material, spec, label))
  },
  destroyKey(hsm, payload) {
    hsm.destroyKey(decodeJson<Pick<KeyRequest, 'material'>>(payload).material)
    return Buffer.alloc(0)
  },
  objects: hsm => encodeJson(hsm.objects()),
}
const handlersByKind = new Map<number, Handler>(
  Object.entries(calls).map(([name, { kind }]) => [kind, handlers[name as CallName]]),
)

/** @param kind of the request frame, one of `calls` */
export function handlerOf(kind: number): Handler {
  return handlersByKind.get(kind)!
}
