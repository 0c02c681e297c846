/** Tests everything that a token may support, with session keys. */
import { performance } from 'node:perf_hooks'
import type { EncryptionAlgorithmSpec, KeyUsageType, MacAlgorithmSpec, SigningAlgorithmSpec } from '@aws-sdk/client-kms'
import pkcs11js from 'pkcs11js'
import { type Ability, type Lacks, whyUnsupportedAnywhere } from '../../model/keys/ability.ts'
import { algorithmsOf, keySpecs, type SupportedKeySpec } from '../../model/keys/key-spec.ts'
import type { Profile } from '../profiles/profile.ts'
import { oaepHash } from '../public-key-crypto.ts'
import { lacksOf } from '../token/capabilities.ts'
import type { Connection } from '../token/connection.ts'
import type { Template } from '../token/cryptoki.ts'
import { keyMechanisms } from '../token/mechanisms.ts'
import { type Attempt, attempt, findGcm, inSessionOfItsOwn } from '../token/probe.ts'
import { whyNoWrapWithTrusted } from '../token/trusted-wrapping.ts'
import type { Gcm } from '../wire/capabilities.ts'
import {
  agreement,
  authentication,
  dataKeyPair,
  decryption,
  destroyTrialKey,
  type Exercise,
  encryption,
  generateTrialKey,
  signature,
  type TrialKey,
} from './exercises.ts'
import { mostSessions, type Percentiles, type Survey, type Trial } from './findings.ts'
import { importTrials } from './imports.ts'
import { latencyOf, recommendationFor } from './latency.ts'
import { tamperedBlocks, tamperedMessage, tamperedSealing } from './tampering.ts'

type KeyToTry = readonly [SupportedKeySpec, KeyUsageType]
/** To find out which attributes are supported. */
const secretKey: KeyToTry = ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT']
const privateKeys: readonly KeyToTry[] = [
  ['RSA_2048', 'SIGN_VERIFY'],
  ['ECC_NIST_P256', 'SIGN_VERIFY'],
]
/** An encryption context of KMS has at most 8192 bytes: KMS Developer Guide, "Resource quotas"; the header of a ciphertext precedes it. */
const aadLengths = [8192 + 38, 4096, 1024, 64]
const longestPlaintext = 4096
/** Of one operation, until the time is up. */
const mostRounds = 100
const leastRounds = 3
const timeForRounds = 200

export async function survey(connection: Connection, profile: Profile): Promise<Survey> {
  const found = await new Surveyor(connection, profile).run()
  const latency = await latencyOf(connection, profile, found.gcm)
  return { ...found, latency, recommendation: latency && recommendationFor(latency, profile) }
}

class Surveyor {
  readonly #connection: Connection
  readonly #profile: Profile
  /** What cannot be tried. What the profile lists as unsupported is tried all the same. */
  readonly #lacks: Lacks
  readonly #mechanisms: ReadonlySet<number>
  readonly #oaepHashes = new Set<'sha1' | 'sha256'>()
  readonly #invalidCiphertextCodes = new Set<string>()
  readonly #invalidSignatureCodes = new Set<string>()
  #gcm: Gcm | undefined
  #forgeable = false
  #longestAad = 0

  constructor(connection: Connection, profile: Profile) {
    this.#connection = connection
    // Without load, codes that the profile lists as throttling are answers.
    this.#profile = { ...profile, throttlingCodes: [] }
    this.#mechanisms = new Set(connection.cryptoki.mechanisms(connection.slot))
    // Either of two mechanisms is enough to try RSAES-OAEP.
    const oaepHashes = this.#mechanisms.has(pkcs11js.CKM_RSA_PKCS_OAEP) ? (['sha1', 'sha256'] as const) : []
    this.#lacks = lacksOf({ ...profile, oaepHashes, lacks: {} }, this.#mechanisms)
  }

  async run(): Promise<Survey> {
    const trials: Trial[] = []
    for (const spec of Object.keys(keySpecs) as SupportedKeySpec[]) {
      for (const usage of keySpecs[spec].usages) trials.push(await this.#trial(spec, usage))
    }
    const pair = await this.#tried(dataKeyPair(this.#connection.cryptoki, keyMechanisms.ECC_NIST_P256!))
    const pairs: Lacks = pair.refusal === undefined ? {} : { GenerateDataKeyPair: pair.refusal }
    const lacks = { ...lacksIn(trials), ...pairs }
    const capabilities = { ...(this.#gcm && { gcm: this.#gcm }), lacks }
    return {
      ...capabilities,
      trials,
      imports: await importTrials(this.#connection, this.#profile, capabilities, [...this.#oaepHashes]),
      oaepHashes: [...this.#oaepHashes],
      supportsCkaModifiable: await this.#understands(pkcs11js.CKA_MODIFIABLE),
      supportsCkaCopyable: await this.#understands(pkcs11js.CKA_COPYABLE),
      supportsCkaSignRecover: await this.#understandsSignRecover(trials),
      reportsCkaLocal: await this.#reportsCkaLocal(),
      noWrapWithTrusted: await whyNoWrapWithTrusted(this.#connection, this.#profile),
      invalidCiphertextCodes: [...this.#invalidCiphertextCodes],
      invalidSignatureCodes: [...this.#invalidSignatureCodes],
      forgeable: this.#forgeable,
      longestAad: this.#longestAad,
      sessions: this.#sessions(),
    }
  }

  async #trial(spec: SupportedKeySpec, usage: KeyUsageType): Promise<Trial> {
    const algorithms = algorithmsOf(spec, usage)
    const none = (reason: string): Trial => ({
      spec,
      usage,
      works: [],
      fails: Object.fromEntries(algorithms.map(algorithm => [algorithm, reason])),
    })
    const reason = this.#lacks[spec]
    if (reason !== undefined) return none(reason)
    const made = await attempt(this.#profile, () => generateTrialKey(this.#connection, spec, usage))
    if (made.refusal !== undefined) return none(made.refusal)
    try {
      return { spec, usage, ...(await this.#algorithms(made.value, algorithms)) }
    } finally {
      destroyTrialKey(this.#connection, made.value)
    }
  }

  async #algorithms(key: TrialKey, algorithms: readonly Ability[]): Promise<Omit<Trial, 'spec' | 'usage'>> {
    const works: Ability[] = []
    const fails: Record<string, string> = {}
    let latency: Percentiles | undefined
    for (const algorithm of algorithms) {
      const reason = this.#lacks[algorithm]
      const { value, refusal } = reason === undefined ? await this.#algorithm(key, algorithm) : { refusal: reason }
      if (value === undefined) {
        fails[algorithm] = refusal
      } else {
        works.push(algorithm)
        latency ??= await this.#time(value)
      }
    }
    return { works, fails, ...(latency && { latency }) }
  }

  async #algorithm(key: TrialKey, algorithm: Ability): Promise<Attempt<Exercise>> {
    const { cryptoki } = this.#connection
    if (algorithm === 'SYMMETRIC_DEFAULT') return this.#symmetric(key)
    if (algorithm === 'ECDH') return this.#tried(agreement(cryptoki, key))
    if (algorithm.startsWith('HMAC_')) return this.#tried(authentication(cryptoki, key, algorithm as MacAlgorithmSpec))
    if (algorithm.startsWith('RSAES_')) return this.#oaep(key, algorithm as EncryptionAlgorithmSpec)
    return this.#signature(key, algorithm as SigningAlgorithmSpec)
  }

  async #symmetric(key: TrialKey): Promise<Attempt<Exercise>> {
    const gcm = await findGcm(this.#connection, key.key, this.#profile, this.#mechanisms)
    if (gcm === undefined) return { refusal: 'none of its known forms works' }
    this.#gcm = gcm
    for (const aad of aadLengths) {
      const lengths = { text: longestPlaintext, aad }
      const { value } = await this.#tried(encryption(this.#connection.cryptoki, key, gcm, lengths))
      if (value === undefined) continue
      this.#longestAad = aad
      break
    }
    const { forged, codes } = await tamperedSealing(this.#connection, key, gcm)
    this.#forgeable = forged
    for (const code of codes) this.#invalidCiphertextCodes.add(code)
    return this.#tried(encryption(this.#connection.cryptoki, key, gcm))
  }

  /** On the token if it supports the padding, otherwise as the worker does it. */
  async #oaep(key: TrialKey, algorithm: EncryptionAlgorithmSpec): Promise<Attempt<Exercise>> {
    const { cryptoki } = this.#connection
    const hash = oaepHash(algorithm)
    const onToken = await this.#tried(decryption(cryptoki, key, algorithm, true))
    if (onToken.refusal === undefined) {
      this.#oaepHashes.add(hash)
      const { forged, codes } = await tamperedBlocks(this.#connection, key, algorithm)
      for (const code of codes) this.#invalidCiphertextCodes.add(code)
      return forged ? { refusal: 'it decrypts an altered block' } : onToken
    }
    return hash === 'sha1' ? onToken : this.#tried(decryption(cryptoki, key, algorithm, false))
  }

  async #signature(key: TrialKey, algorithm: SigningAlgorithmSpec): Promise<Attempt<Exercise>> {
    const tried = await this.#tried(signature(this.#connection.cryptoki, key, algorithm))
    if (tried.refusal !== undefined) return tried
    const { forged, codes } = await tamperedMessage(this.#connection, key, algorithm)
    for (const code of codes) this.#invalidSignatureCodes.add(code)
    return forged ? { refusal: 'it accepts the signature of another message' } : tried
  }

  async #tried(exercise: Exercise): Promise<Attempt<Exercise>> {
    const { refusal } = await attempt(this.#profile, () =>
      inSessionOfItsOwn(this.#connection, async session => {
        const answer = await exercise.operate(session)
        if (!(await exercise.isRight(session, answer))) throw new Error('wrong result')
      }),
    )
    return refusal === undefined ? { value: exercise } : { refusal }
  }

  async #time(exercise: Exercise): Promise<Percentiles> {
    return inSessionOfItsOwn(this.#connection, async session => {
      const times: number[] = []
      const end = performance.now() + timeForRounds
      while (times.length < leastRounds || (times.length < mostRounds && performance.now() < end)) {
        const start = performance.now()
        await exercise.operate(session)
        times.push(performance.now() - start)
      }
      times.sort((a, b) => a - b)
      const at = (share: number) => times[Math.ceil(share * times.length) - 1]!
      return { p50: at(0.5), p99: at(0.99) }
    })
  }

  /** Whether a key can be generated with the attribute false. */
  async #understands(attribute: number, key: KeyToTry = secretKey): Promise<boolean> {
    return (await this.#withKey(key, [[attribute, false]], () => true)) ?? false
  }

  /** Whether every private key that works can be generated with CKA_SIGN_RECOVER false. */
  async #understandsSignRecover(trials: readonly Trial[]): Promise<boolean> {
    const pairs = privateKeys.filter(([spec]) => trials.some(trial => trial.spec === spec && trial.works.length > 0))
    for (const key of pairs) if (!(await this.#understands(pkcs11js.CKA_SIGN_RECOVER, key))) return false
    return pairs.length > 0
  }

  async #reportsCkaLocal(): Promise<boolean> {
    const { cryptoki, session } = this.#connection
    const read = ({ key }: TrialKey) => cryptoki.attribute(session, key, pkcs11js.CKA_LOCAL)[0] === 1
    return (await this.#withKey(secretKey, [], read)) ?? this.#profile.reportsCkaLocal
  }

  /** Undefined if the token refuses such a key, or its use. */
  async #withKey<T>([spec, usage]: KeyToTry, attributes: Template, use: (key: TrialKey) => T): Promise<T | undefined> {
    const { value } = await attempt(this.#profile, async () => {
      const key = await generateTrialKey(this.#connection, spec, usage, attributes)
      try {
        return use(key)
      } finally {
        destroyTrialKey(this.#connection, key)
      }
    })
    return value
  }

  #sessions(): number {
    const { cryptoki, slot } = this.#connection
    const opened: Buffer[] = []
    try {
      while (opened.length < mostSessions) opened.push(cryptoki.openSession(slot))
    } catch {
      // The limit is reached.
    } finally {
      for (const session of opened) cryptoki.closeSession(session)
    }
    return opened.length
  }
}

/** Key specs for data key pairs that have no other use here. */
function isForOthers({ spec, fails }: Trial): boolean {
  const isImpossible = ([algorithm, reason]: [string, string]) =>
    whyUnsupportedAnywhere(algorithm as Ability) === reason
  return whyUnsupportedAnywhere(spec) === undefined && Object.entries(fails).every(isImpossible)
}

/** Key specs of which nothing works, and algorithms that fail with every key spec. */
function lacksIn(trials: readonly Trial[]): Lacks {
  const specs = Object.keys(keySpecs) as SupportedKeySpec[]
  const useless = specs.filter(spec =>
    trials.every(trial => trial.spec !== spec || (trial.works.length === 0 && !isForOthers(trial))),
  )
  const reasonOf = (spec: SupportedKeySpec) => Object.values(trials.find(trial => trial.spec === spec)!.fails)[0]!
  const works = new Set(trials.flatMap(trial => trial.works))
  const failed = trials.flatMap(({ spec, fails }) => (useless.includes(spec) ? [] : Object.entries(fails)))
  return Object.fromEntries([
    ...failed.filter(([algorithm]) => !works.has(algorithm as Ability)),
    ...useless.map(spec => [spec, reasonOf(spec)]),
  ])
}
