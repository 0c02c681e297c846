/** The contract of hsm.ts, for one caller: packs each call and hands it to a backend. */
import type {
  EncryptionAlgorithmSpec,
  KeyUsageType,
  MacAlgorithmSpec,
  MessageType,
  SigningAlgorithmSpec,
} from '@aws-sdk/client-kms'
import { Failure } from '../errors.ts'
import type { Ability } from '../model/keys/ability.ts'
import { keySpecs, type SupportedKeySpec } from '../model/keys/key-spec.ts'
import type { TransferAlgorithm, WrappingKeySpec } from '../model/keys/wrapping-algorithm.ts'
import type {
  CheckedEncryption,
  CreatedKey,
  HeldKey,
  Hsm,
  HsmHealth,
  HsmKey,
  HsmObject,
  InspectionDepth,
  KeyInspection,
  KeyPair,
  Sealed,
  TransferredKey,
  WrappedMaterial,
} from './hsm.ts'
import { createKey } from './key-creation.ts'
import type { Backend, CallOptions } from './pool/backend.ts'
import { gcmTagLength } from './profiles/profile.ts'
import { encryptOaep, oaepHash, verifyMessage } from './public-key-crypto.ts'
import { type AnswerOf, type CallName, type CallRow, calls, type RequestTo } from './wire/calls.ts'

/** Size of the cache of clients by caller. */
const mostClients = 1000

/** Public-key operations that this process does itself, with OpenSSL. */
export interface OutsideUse {
  readonly encrypts: boolean
  readonly verifies: boolean
}

export interface ClientOptions {
  readonly outside: OutsideUse
  readonly transfersTo: readonly string[]
}

type CreatingCall = 'generateKey' | 'generateSlowKey' | 'importKey' | 'createWrappingKey' | 'unwrapKey' | 'receiveKey'

export class HsmClient implements Hsm {
  readonly #backend: Backend
  readonly #options: ClientOptions
  readonly #caller: string
  readonly #clients: Map<string, HsmClient>
  readonly #latest: number | undefined

  /** @param clients of all callers, those without a deadline */
  constructor(
    backend: Backend,
    options: ClientOptions,
    caller = '',
    clients = new Map<string, HsmClient>(),
    latest?: number,
  ) {
    this.#backend = backend
    this.#options = options
    this.#caller = caller
    this.#clients = clients
    this.#latest = latest
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

  get pending(): number {
    return this.#backend.pending
  }

  get transfersTo(): readonly string[] {
    return this.#options.transfersTo
  }

  whyUnsupported(ability: Ability): string | undefined {
    return this.#backend.whyUnsupported(ability)
  }

  for(caller: string, latest?: number): Hsm {
    if (latest !== undefined) return new HsmClient(this.#backend, this.#options, caller, this.#clients, latest)
    const known = this.#clients.get(caller)
    if (known !== undefined) return known
    if (this.#clients.size === mostClients) this.#clients.clear()
    const client = new HsmClient(this.#backend, this.#options, caller, this.#clients)
    this.#clients.set(caller, client)
    return client
  }

  async encrypt(object: string, plaintext: Uint8Array, aad: Uint8Array, ivLength = 0): Promise<Sealed> {
    const sealed = await this.#call('encrypt', { object, ivLength, aad, plaintext })
    exactly(plaintext.length + gcmTagLength, sealed.ciphertext)
    return sealed
  }

  async decrypt(object: string, { iv, ciphertext }: Sealed, aad: Uint8Array): Promise<Uint8Array> {
    const plaintext = await this.#call('decrypt', { object, iv, aad, ciphertext })
    return exactly(ciphertext.length - gcmTagLength, plaintext)
  }

  async encryptChecked(
    object: string,
    plaintext: Uint8Array,
    aad: Uint8Array,
    hashed: Uint8Array,
  ): Promise<CheckedEncryption> {
    const sealed = await this.#call('encryptChecked', { object, aad, hashed, plaintext })
    exactly(plaintext.length + gcmTagLength, sealed.ciphertext)
    return sealed
  }

  async random(length: number): Promise<Uint8Array> {
    return exactly(length, await this.#call('random', length))
  }

  generateKey(
    object: string,
    spec: SupportedKeySpec,
    usage: KeyUsageType,
    label: string,
    wrapWithTrusted?: boolean,
  ): Promise<CreatedKey> {
    const name = keySpecs[spec].isSlowToGenerate ? 'generateSlowKey' : 'generateKey'
    return this.#create(name, { object, spec, usage, label, wrapWithTrusted })
  }

  importKey(
    object: string,
    spec: SupportedKeySpec,
    usage: KeyUsageType,
    label: string,
    bytes: Uint8Array,
  ): Promise<CreatedKey> {
    return this.#create('importKey', { object, spec, usage, label, bytes })
  }

  createWrappingKey(
    object: string,
    spec: WrappingKeySpec,
    label: string,
    wraps?: SupportedKeySpec,
  ): Promise<CreatedKey> {
    return this.#create('createWrappingKey', { object, spec, label, wraps })
  }

  unwrapKey(
    object: string,
    spec: SupportedKeySpec,
    usage: KeyUsageType,
    label: string,
    wrapped: WrappedMaterial,
  ): Promise<CreatedKey> {
    return this.#create('unwrapKey', { object, spec, usage, label, ...wrapped })
  }

  async wrapKey(object: string, publicKey: Uint8Array, algorithm: TransferAlgorithm): Promise<Uint8Array | undefined> {
    return this.#call('wrapKey', { object, publicKey, algorithm })
  }

  receiveKey(
    object: string,
    spec: SupportedKeySpec,
    usage: KeyUsageType,
    label: string,
    wrapped: TransferredKey,
    wrapWithTrusted?: boolean,
  ): Promise<CreatedKey> {
    return this.#create('receiveKey', { object, spec, usage, label, ...wrapped, wrapWithTrusted })
  }

  #create<N extends CreatingCall>(name: N, request: RequestTo<N>): Promise<CreatedKey> {
    const call = (undo: () => void): Promise<AnswerOf<'generateKey'>> => this.#call(name, request, { undo })
    return createKey(call, () => this.destroyKey(request.object))
  }

  async generateKeyPair(spec: SupportedKeySpec): Promise<KeyPair> {
    return this.#call('generateKeyPair', { spec })
  }

  async encryptRaw(key: HsmKey, algorithm: EncryptionAlgorithmSpec, plaintext: Uint8Array): Promise<Uint8Array> {
    const publicKey = key.publicKey!
    if (this.#options.outside.encrypts) return encryptOaep(publicKey, oaepHash(algorithm), plaintext)
    return this.#call('encryptRaw', { ...key, publicKey, algorithm, plaintext })
  }

  async decryptRaw(key: HsmKey, algorithm: EncryptionAlgorithmSpec, ciphertext: Uint8Array): Promise<Uint8Array> {
    return this.#call('decryptRaw', { ...key, algorithm, ciphertext })
  }

  async sign(
    key: HsmKey,
    algorithm: SigningAlgorithmSpec,
    type: MessageType,
    message: Uint8Array,
  ): Promise<Uint8Array> {
    return this.#call('sign', { ...key, algorithm, type, message })
  }

  async verify(
    key: HsmKey,
    algorithm: SigningAlgorithmSpec,
    type: MessageType,
    message: Uint8Array,
    signature: Uint8Array,
  ): Promise<boolean> {
    const publicKey = key.publicKey!
    if (this.#options.outside.verifies && type === 'RAW') return verifyMessage(publicKey, algorithm, message, signature)
    return this.#call('verify', { ...key, publicKey, algorithm, type, message, signature })
  }

  async generateMac({ object }: HsmKey, algorithm: MacAlgorithmSpec, message: Uint8Array): Promise<Uint8Array> {
    return this.#call('generateMac', { object, algorithm, message })
  }

  async verifyMac(
    { object }: HsmKey,
    algorithm: MacAlgorithmSpec,
    message: Uint8Array,
    mac: Uint8Array,
  ): Promise<boolean> {
    return this.#call('verifyMac', { object, algorithm, message, mac })
  }

  async deriveSharedSecret(key: HsmKey, peer: Uint8Array): Promise<Uint8Array> {
    return this.#call('deriveSharedSecret', { ...key, peer })
  }

  async destroyKey(object: string): Promise<void> {
    const { isWhole } = this.#backend
    await this.#callEach('destroyKey', { object })
    if (!isWhole) throw notEveryToken()
  }

  async inspectKey(key: HeldKey, depth: InspectionDepth): Promise<KeyInspection> {
    const inspections = await this.#callEach('inspectKey', { ...key, depth }).catch(missing)
    const found = inspections.find(({ fault }) => fault !== undefined) ?? {}
    if (found.fault !== 'missing' || this.#backend.isWhole) return found
    throw notEveryToken()
  }

  objects(): Promise<readonly HsmObject[]> {
    return this.#call('objects', undefined)
  }

  close(): Promise<void> {
    return this.#backend.close()
  }

  async #call<N extends CallName>(
    name: N,
    request: RequestTo<N>,
    { undo }: Pick<CallOptions, 'undo'> = {},
  ): Promise<AnswerOf<N>> {
    const row: CallRow = calls[name]
    const options = { object: objectOf(request), latest: this.#latest, isUrgent: this.#latest !== undefined, undo }
    return row.answer.decode(await this.#backend.call(name, row.request.encode(request), this.#caller, options))
  }

  async #callEach<N extends CallName>(name: N, request: RequestTo<N>): Promise<readonly AnswerOf<N>[]> {
    const row: CallRow = calls[name]
    const options = { object: objectOf(request) }
    const answers = await this.#backend.callEach(name, row.request.encode(request), this.#caller, options)
    return answers.map(answer => row.answer.decode(answer))
  }
}

/** Throws if the HSM returned another number of bytes: they would never decrypt, or be a key of the wrong length. */
function exactly(length: number, bytes: Uint8Array): Uint8Array {
  if (bytes.length === length) return bytes
  bytes.fill(0)
  const cause = new Error(`the HSM answered ${bytes.length} bytes instead of ${length}`)
  throw new Failure('Internal', '', { cause })
}

function objectOf(request: unknown): string | undefined {
  return (request as { readonly object?: string } | undefined)?.object
}

/** What HSMs that may not know every key reject with: see Pkcs11.inspectKey. */
function missing(error: unknown): readonly KeyInspection[] {
  if (error instanceof Failure && error.code === 'InvalidState') return [{ fault: 'missing' }]
  throw error
}

function notEveryToken(): Failure {
  return new Failure('KeyUnavailable', 'Not every token of the cluster is available.')
}
