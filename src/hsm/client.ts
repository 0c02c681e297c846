/** The contract of hsm.ts, for one caller: each call becomes a message. */
import { setTimeout as delay } from 'node:timers/promises'
import type {
  EncryptionAlgorithmSpec,
  KeyUsageType,
  MacAlgorithmSpec,
  MessageType,
  SigningAlgorithmSpec,
} from '@aws-sdk/client-kms'
import { Failure } from '../errors.ts'
import type { Ability } from '../model/keys/ability.ts'
import type { SupportedKeySpec } from '../model/keys/key-spec.ts'
import type { GeneratedKey, HeldKey, Hsm, HsmHealth, HsmKey, HsmObject, KeyInspection, KeyPair, Sealed } from './hsm.ts'
import type { Backend } from './pool/backend.ts'
import { gcmTagLength } from './profiles/profile.ts'
import { encryptOaep, oaepHash, verifyMessage } from './public-key-crypto.ts'
import {
  type CallName,
  decodeBoolean,
  decodeJson,
  decodeParts,
  decodeSealed,
  encodeDecrypt,
  encodeEncrypt,
  encodeJson,
  encodeParts,
  encodeRandom,
  type InspectionRequest,
} from './wire/messages.ts'

/** Callers whose clients are kept; more only cost a little more each. */
const mostClients = 1000
/** Milliseconds between tries to destroy a key that was made in vain; doubled each time. */
const [firstPause, longestPause] = [500, 64_000]

/** What is done with public keys in this process, for what OpenSSL can do with them. */
export interface OutsideUse {
  readonly encrypts: boolean
  readonly verifies: boolean
}

export class HsmClient implements Hsm {
  readonly #backend: Backend
  readonly #outside: OutsideUse
  readonly #caller: string
  readonly #clients: Map<string, HsmClient>

  /** @param clients those of all callers */
  constructor(backend: Backend, outside: OutsideUse, caller = '', clients = new Map<string, HsmClient>()) {
    this.#backend = backend
    this.#outside = outside
    this.#caller = caller
    this.#clients = clients
  }

  get name(): string {
    return this.#backend.name
  }

  get ivLength(): number {
    return this.#backend.ivLength
  }

  get health(): HsmHealth {
    return this.#backend.health
  }

  get epoch(): number {
    return this.#backend.health.starts
  }

  get pending(): number {
    return this.#backend.pending
  }

  whyNot(ability: Ability): string | undefined {
    return this.#backend.whyNot(ability)
  }

  for(caller: string): Hsm {
    const known = this.#clients.get(caller)
    if (known !== undefined) return known
    if (this.#clients.size === mostClients) this.#clients.clear()
    const client = new HsmClient(this.#backend, this.#outside, caller, this.#clients)
    this.#clients.set(caller, client)
    return client
  }

  async encrypt(material: string, plaintext: Uint8Array, aad: Uint8Array, ivLength?: number): Promise<Sealed> {
    const sealed = decodeSealed(await this.#call('encrypt', encodeEncrypt(material, plaintext, aad, ivLength)))
    exactly(plaintext.length + gcmTagLength, sealed.ciphertext)
    return sealed
  }

  async decrypt(material: string, sealed: Sealed, aad: Uint8Array): Promise<Uint8Array> {
    return exactly(
      sealed.ciphertext.length - gcmTagLength,
      await this.#call('decrypt', encodeDecrypt(material, sealed, aad)),
    )
  }

  async random(length: number): Promise<Uint8Array> {
    return exactly(length, await this.#call('random', encodeRandom(length)))
  }

  async generateKey(
    material: string,
    spec: SupportedKeySpec,
    usage: KeyUsageType,
    label: string,
  ): Promise<GeneratedKey> {
    const request = encodeJson({ material, spec, usage, label })
    let [isRefused, mayExist] = [false, false]
    const destroyUnused = () => {
      if (isRefused && mayExist) void this.#destroyUnused(material)
    }
    const undo = () => {
      mayExist = true
      destroyUnused()
    }
    const name = isSlow(spec) ? 'generateSlowKey' : 'generateKey'
    const call = this.#backend.call(name, request, this.#caller, { undo })
    const [custody, publicKey, checkValue] = decodeParts(
      await call.catch(error => {
        isRefused = true
        destroyUnused()
        throw error
      }),
    )
    return { custody: decodeJson(custody!), publicKey: optional(publicKey!), checkValue: optional(checkValue!) }
  }

  async generateKeyPair(spec: SupportedKeySpec): Promise<KeyPair> {
    const [publicKey, privateKey] = decodeParts(await this.#call('generateKeyPair', Buffer.from(spec)))
    return { publicKey: publicKey!, privateKey: privateKey! }
  }

  async encryptRaw(key: HsmKey, algorithm: EncryptionAlgorithmSpec, plaintext: Uint8Array): Promise<Uint8Array> {
    if (this.#outside.encrypts) return encryptOaep(key.publicKey!, oaepHash(algorithm), plaintext)
    return this.#call('encryptRaw', encodeParts(algorithm, plaintext, key.material, key.spec, key.publicKey!))
  }

  async decryptRaw(key: HsmKey, algorithm: EncryptionAlgorithmSpec, ciphertext: Uint8Array): Promise<Uint8Array> {
    return this.#call('decryptRaw', encodeParts(algorithm, ciphertext, key.material, key.spec))
  }

  async sign(
    key: HsmKey,
    algorithm: SigningAlgorithmSpec,
    type: MessageType,
    message: Uint8Array,
  ): Promise<Uint8Array> {
    return this.#call('sign', encodeParts(algorithm, type, message, key.material, key.spec))
  }

  async verify(
    key: HsmKey,
    algorithm: SigningAlgorithmSpec,
    type: MessageType,
    message: Uint8Array,
    signature: Uint8Array,
  ): Promise<boolean> {
    if (this.#outside.verifies && type === 'RAW') {
      return verifyMessage(key.publicKey!, algorithm, message, signature)
    }
    const payload = encodeParts(algorithm, type, message, signature, key.material, key.spec, key.publicKey!)
    return decodeBoolean(await this.#call('verify', payload))
  }

  async generateMac(key: HsmKey, algorithm: MacAlgorithmSpec, message: Uint8Array): Promise<Uint8Array> {
    return this.#call('generateMac', encodeParts(algorithm, message, key.material))
  }

  async verifyMac(key: HsmKey, algorithm: MacAlgorithmSpec, message: Uint8Array, mac: Uint8Array): Promise<boolean> {
    return decodeBoolean(await this.#call('verifyMac', encodeParts(algorithm, message, mac, key.material)))
  }

  async deriveSharedSecret(key: HsmKey, peer: Uint8Array): Promise<Uint8Array> {
    return this.#call('deriveSharedSecret', encodeParts(peer, key.material, key.spec))
  }

  async destroyKey(material: string): Promise<void> {
    const { isWhole } = this.#backend
    await this.#backend.callEach('destroyKey', encodeJson({ material }), this.#caller)
    if (!isWhole) throw notEveryToken()
  }

  async inspectKey({ publicKey, checkValue, ...key }: HeldKey, look: 'quick' | 'thorough'): Promise<KeyInspection> {
    const request: InspectionRequest = { ...key, publicKey: base64(publicKey), checkValue: base64(checkValue), look }
    const answers = await this.#backend.callEach('inspectKey', encodeJson(request), this.#caller)
    const inspections = answers.map(answer => decodeJson<KeyInspection>(answer))
    const found = inspections.find(({ fault }) => fault !== undefined) ?? {}
    if (found.fault !== 'missing' || this.#backend.isWhole) return found
    throw notEveryToken()
  }

  async objects(): Promise<readonly HsmObject[]> {
    const parts = decodeParts(await this.#call('objects', encodeJson({})))
    return Array.from({ length: parts.length / 2 }, (_, i) => ({
      id: parts[2 * i]!.toString('hex'),
      label: parts[2 * i + 1]!.toString(),
    }))
  }

  close(): Promise<void> {
    return this.#backend.close()
  }

  /** A key that nobody was answered. An HSM that is away now is asked again; what is left in the end is an orphan. */
  async #destroyUnused(material: string): Promise<void> {
    for (let pause = firstPause; pause <= longestPause; pause *= 2) {
      try {
        await this.destroyKey(material)
        return
      } catch {
        await delay(pause, undefined, { ref: false })
      }
    }
  }

  #call(name: CallName, payload: Buffer): Promise<Buffer> {
    return this.#backend.call(name, payload, this.#caller)
  }
}

/** Bytes that are not as many as they must be are not answered: they would never decrypt, or be a key of another length. */
function exactly(length: number, bytes: Uint8Array): Uint8Array {
  if (bytes.length === length) return bytes
  bytes.fill(0)
  const cause = new Error(`the HSM answered ${bytes.length} bytes instead of ${length}`)
  throw new Failure('Internal', '', { cause })
}

function notEveryToken(): Failure {
  return new Failure('KeyUnavailable', 'Not every token that may hold the key can be asked.')
}

/** Nobody is to wait for it who asks for another one: two large primes are searched for. */
function isSlow(spec: SupportedKeySpec): boolean {
  return spec.startsWith('RSA_')
}

/** A copy of its own: a view would keep the whole message in memory. */
function optional(part: Buffer): Uint8Array | undefined {
  return part.length === 0 ? undefined : new Uint8Array(part)
}

function base64(bytes: Uint8Array | undefined): string | undefined {
  return bytes && Buffer.from(bytes).toString('base64')
}
