/** Clients that call a gateway without pause and verify its answers, including those to earlier calls. */
import { randomBytes } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import type { KMS } from '@aws-sdk/client-kms'
import { SeededRandom } from './seeded-random.ts'

interface Blob {
  readonly KeyId: string
  readonly text: Buffer
  readonly CiphertextBlob: Uint8Array
  readonly EncryptionContext: Record<string, string>
}

/** Keys that all clients use. */
export interface Keys {
  readonly aes: string
  readonly ec: string
  readonly hmac: string
}

/** Errors that only state that a call was not executed. Any other error is a wrong answer, as all requests are valid. */
const refusals: ReadonlySet<string> = new Set([
  'KeyUnavailableException',
  'ThrottlingException',
  'KMSInternalException',
])
const mostKept = 20_000

export class Clients {
  readonly answered: Record<string, number> = {}
  readonly refused: Record<string, number> = {}
  /** What was answered wrong. */
  readonly wrong: string[] = []
  readonly kept: Blob[] = []
  /** Keys known to a client, and whether they are enabled. */
  readonly created = new Map<string, 'Enabled' | 'PendingDeletion' | 'either'>()
  /** Milliseconds that the slowest answer took, by operation. */
  readonly slowest: Record<string, number> = {}
  readonly #kms: KMS
  readonly #keys: Keys
  readonly #running: readonly Promise<void>[]
  #ended = false

  constructor(kms: KMS, keys: Keys, random: SeededRandom, count = 32) {
    this.#kms = kms
    this.#keys = keys
    const live = (client: number) => this.#live(new SeededRandom(random.between(0, 2 ** 32)), client === 0)
    this.#running = Array.from({ length: count }, (_, client) => live(client))
  }

  /** Lets so many milliseconds pass, and forgets how slow the answers were. */
  async warm(milliseconds: number): Promise<void> {
    await delay(milliseconds)
    for (const name of Object.keys(this.slowest)) delete this.slowest[name]
  }

  async end(): Promise<void> {
    this.#ended = true
    await Promise.all(this.#running)
  }

  /** What was kept and does not decrypt to what it was. */
  async undecipherable(): Promise<number> {
    let failures = 0
    const left = [...this.kept]
    const decrypt = async () => {
      for (let blob = left.pop(); blob !== undefined; blob = left.pop()) {
        const { CiphertextBlob, EncryptionContext, text } = blob
        const opened = await this.#kms.decrypt({ CiphertextBlob, EncryptionContext }).catch(() => undefined)
        if (opened === undefined || !text.equals(opened.Plaintext!)) failures++
      }
    }
    await Promise.all(Array.from({ length: 32 }, decrypt))
    return failures
  }

  /** Keys that are not what was answered of them, or do not work. */
  async lostKeys(): Promise<readonly string[]> {
    const lost: string[] = []
    for (const [KeyId, expected] of this.created) {
      const { KeyState } = (await this.#kms.describeKey({ KeyId })).KeyMetadata!
      if (expected !== 'either' && KeyState !== expected) lost.push(`${KeyId} is ${KeyState}`)
      if (KeyState !== 'Enabled') continue
      const works = await this.#kms.encrypt({ KeyId, Plaintext: Buffer.from('text') }).then(() => true, String)
      if (works !== true) lost.push(`${KeyId}: ${works}`)
    }
    return lost
  }

  async #live(random: SeededRandom, makesKeys: boolean): Promise<void> {
    const works = [() => this.#encrypt(random), () => this.#encrypt(random), () => this.#dataKey(), () => this.#sign()]
    const all = [...works, () => this.#mac(), () => this.#decryptKept(random)]
    while (!this.#ended) {
      if (makesKeys) {
        await this.#key(random)
        await delay(1000)
      } else await random.of(all)()
    }
  }

  async #encrypt(random: SeededRandom): Promise<void> {
    const text = randomBytes(Math.ceil(random.between(0, 200)))
    const EncryptionContext: Record<string, string> =
      random.fraction() < 0.5 ? {} : { tenant: String(random.fraction()) }
    const KeyId = this.#keys.aes
    const sealed = await this.#ask('Encrypt', () => this.#kms.encrypt({ KeyId, Plaintext: text, EncryptionContext }))
    if (sealed === undefined) return
    const blob = { KeyId, text, CiphertextBlob: sealed.CiphertextBlob!, EncryptionContext }
    if (this.kept.length < mostKept) this.kept.push(blob)
    else this.kept[Math.floor(random.between(0, mostKept))] = blob
    await this.#decrypt(blob)
  }

  async #decryptKept(random: SeededRandom): Promise<void> {
    if (this.kept.length > 0) await this.#decrypt(random.of(this.kept))
  }

  async #decrypt({ CiphertextBlob, EncryptionContext, text }: Omit<Blob, 'KeyId'>): Promise<void> {
    const opened = await this.#ask('Decrypt', () => this.#kms.decrypt({ CiphertextBlob, EncryptionContext }))
    if (opened !== undefined) this.#expect('Decrypt', text.equals(opened.Plaintext!))
  }

  async #dataKey(): Promise<void> {
    const KeyId = this.#keys.aes
    const dataKey = await this.#ask('GenerateDataKey', () => this.#kms.generateDataKey({ KeyId, KeySpec: 'AES_256' }))
    if (dataKey === undefined) return
    const text = Buffer.from(dataKey.Plaintext!)
    await this.#decrypt({ text, CiphertextBlob: dataKey.CiphertextBlob!, EncryptionContext: {} })
  }

  async #sign(): Promise<void> {
    const message = { KeyId: this.#keys.ec, Message: randomBytes(40), SigningAlgorithm: 'ECDSA_SHA_256' } as const
    const signed = await this.#ask('Sign', () => this.#kms.sign(message))
    if (signed === undefined) return
    const Signature = signed.Signature!
    const verified = await this.#ask('Verify', () => this.#kms.verify({ ...message, Signature }))
    if (verified !== undefined) this.#expect('Verify', verified.SignatureValid === true)
  }

  async #mac(): Promise<void> {
    const message = { KeyId: this.#keys.hmac, Message: randomBytes(40), MacAlgorithm: 'HMAC_SHA_256' } as const
    const made = await this.#ask('GenerateMac', () => this.#kms.generateMac(message))
    if (made === undefined) return
    const verified = await this.#ask('VerifyMac', () => this.#kms.verifyMac({ ...message, Mac: made.Mac! }))
    if (verified !== undefined) this.#expect('VerifyMac', verified.MacValid === true)
  }

  /** A new key, which is used once, and half of which are to be deleted. */
  async #key(random: SeededRandom): Promise<void> {
    const made = await this.#ask('CreateKey', () => this.#kms.createKey({}))
    if (made === undefined) return
    const KeyId = made.KeyMetadata!.KeyId!
    this.created.set(KeyId, 'Enabled')
    await this.#ask('Encrypt', () => this.#kms.encrypt({ KeyId, Plaintext: Buffer.from('text') }))
    if (random.fraction() < 0.5) return
    this.created.set(KeyId, 'either')
    const scheduled = await this.#ask('ScheduleKeyDeletion', () => this.#kms.scheduleKeyDeletion({ KeyId }))
    if (scheduled !== undefined) this.created.set(KeyId, 'PendingDeletion')
  }

  async #ask<T>(name: string, call: () => Promise<T>): Promise<T | undefined> {
    const start = performance.now()
    try {
      const answer = await call()
      this.answered[name] = (this.answered[name] ?? 0) + 1
      return answer
    } catch (error) {
      const { name: code, message } = error as Error
      if (!refusals.has(code)) this.wrong.push(`${name}: ${code}: ${message}`)
      this.refused[code] = (this.refused[code] ?? 0) + 1
      // Whoever is refused at once would do nothing else any more.
      await delay(10)
      return undefined
    } finally {
      this.slowest[name] = Math.max(this.slowest[name] ?? 0, performance.now() - start)
    }
  }

  #expect(name: string, isRight: boolean): void {
    if (!isRight) this.wrong.push(`${name}: another answer than is right`)
  }
}
