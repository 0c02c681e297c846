/** Signing keys of Signature Version 4, kept so that a secret is unsealed once a day and region: secrets themselves are not kept. */
import { createHmac, createSecretKey, type KeyObject } from 'node:crypto'
import { Failure } from '../errors.ts'
import type { AccessKey } from '../model/identities/access-key.ts'
import type { Session } from '../model/identities/session.ts'
import type { Authorization } from './authorization-header.ts'

/** Where secret access keys come from: in UTF-8, wiped after use. */
export interface Secrets {
  /** Called once per access key, day and region. */
  readonly unseal: (accessKey: AccessKey) => Promise<Uint8Array>
  /**
   * Called once per session, day and region. Resolves to undefined unless the token was made here for this access key.
   *
   * @param sourceAddress of the sender, who is not known before the token is unsealed
   */
  readonly unsealSession: (
    token: string,
    accessKeyId: string,
    sourceAddress: string,
  ) => Promise<{ readonly session: Session; readonly secret: Uint8Array } | undefined>
}

/** Verifies signatures of one day, region and service. */
export interface SigningKey {
  readonly key: KeyObject
  readonly credentials: AccessKey | Session
}

interface OfAccessKey {
  readonly sealedSecret: Uint8Array
  /** A promise until the secret is unsealed. */
  key: KeyObject | Promise<KeyObject>
}

interface OfSession {
  readonly token: string
  readonly signingKey: SigningKey & { readonly credentials: Session }
}

export const terminator = 'aws4_request'
/** Access keys, and sessions, each in a day and region. */
const maximumKept = 10_000
/** Of tokens and session policies, most of which are short: the longest ones have 70,000. */
const maximumCharacters = 32 * 1024 * 1024
/** Milliseconds between searches for expired sessions. */
const sweepInterval = 60_000

export class SigningKeys {
  readonly #secrets: Secrets
  readonly #clock: () => number
  /** By credential (access key id, date, region), oldest first. */
  readonly #ofAccessKeys = new Map<string, OfAccessKey>()
  readonly #ofSessions = new Map<string, OfSession>()
  /** Session tokens that are being unsealed, by credential and token. They may be forged, so they are not kept. */
  readonly #unsealing = new Map<string, Promise<SigningKey>>()
  #sessionCharacters = 0
  #lastSweep = 0

  /** @param clock milliseconds since the epoch */
  constructor(secrets: Secrets, clock: () => number) {
    this.#secrets = secrets
    this.#clock = clock
  }

  /** Not a promise if it is known. */
  ofAccessKey(accessKey: AccessKey, authorization: Authorization): SigningKey | Promise<SigningKey> {
    const { key } = this.#keptOf(accessKey, authorization)
    if (key instanceof Promise) return key.then(key => ({ key, credentials: accessKey }))
    return { key, credentials: accessKey }
  }

  /** Unless the secret of the access key has changed. */
  #keptOf(accessKey: AccessKey, authorization: Authorization): OfAccessKey {
    const { credential } = authorization
    const { sealedSecret } = accessKey
    const kept = this.#ofAccessKeys.get(credential)
    if (kept && Buffer.compare(kept.sealedSecret, sealedSecret) === 0) return kept

    const key = this.#secrets.unseal(accessKey).then(secret => deriveSigningKey(secret, authorization))
    const entry: OfAccessKey = { sealedSecret, key }
    keep(this.#ofAccessKeys, credential, entry)
    key.then(
      key => {
        entry.key = key
      },
      () => {
        if (this.#ofAccessKeys.get(credential) === entry) this.#ofAccessKeys.delete(credential)
      },
    )
    return entry
  }

  /** Not a promise if it is known. Rejects with UnrecognizedClient unless the token was made here for this access key. */
  ofSession(token: string, authorization: Authorization, sourceAddress: string): SigningKey | Promise<SigningKey> {
    const { credential } = authorization
    const kept = this.#ofSessions.get(credential)
    if (kept?.token === token) return kept.signingKey
    const name = `${credential} ${token}`
    let unsealing = this.#unsealing.get(name)
    if (unsealing === undefined) {
      unsealing = this.#unseal(token, authorization, sourceAddress).finally(() => this.#unsealing.delete(name))
      this.#unsealing.set(name, unsealing)
    }
    return unsealing
  }

  async #unseal(token: string, authorization: Authorization, sourceAddress: string): Promise<SigningKey> {
    const { accessKeyId, credential } = authorization
    const unsealed = await this.#secrets.unsealSession(token, accessKeyId, sourceAddress)
    if (unsealed === undefined) throw unrecognizedClient()
    const signingKey = { key: deriveSigningKey(unsealed.secret, authorization), credentials: unsealed.session }
    this.#forgetExpired()
    this.#forget(credential)
    this.#ofSessions.set(credential, { token, signingKey })
    this.#sessionCharacters += charactersOf({ token, signingKey })
    while (this.#ofSessions.size > maximumKept || this.#sessionCharacters > maximumCharacters)
      this.#forget(this.#ofSessions.keys().next().value!)
    return signingKey
  }

  #forget(credential: string): void {
    const known = this.#ofSessions.get(credential)
    if (known === undefined) return
    this.#ofSessions.delete(credential)
    this.#sessionCharacters -= charactersOf(known)
  }

  #forgetExpired(): void {
    const now = this.#clock()
    if (Math.abs(now - this.#lastSweep) < sweepInterval) return
    this.#lastSweep = now
    for (const [credential, { signingKey }] of this.#ofSessions)
      if (signingKey.credentials.expiresAt <= now) this.#forget(credential)
  }
}

function charactersOf({ token, signingKey: { credentials } }: OfSession): number {
  return (credentials.role?.policies ?? []).reduce((sum, text) => sum + text.length, token.length)
}

function keep<T>(known: Map<string, T>, credential: string, entry: T): void {
  known.delete(credential)
  if (known.size >= maximumKept) known.delete(known.keys().next().value!)
  known.set(credential, entry)
}

export function unrecognizedClient(): Failure {
  return new Failure('UnrecognizedClient', 'The security token included in the request is invalid.')
}

/** IAM User Guide, "Create a signed AWS API request", step 4: derive a signing key. Wipes the secret. */
export function deriveSigningKey(
  secret: Uint8Array,
  { date, region, service }: Pick<Authorization, 'date' | 'region' | 'service'>,
): KeyObject {
  let key = Buffer.concat([Buffer.from('AWS4'), secret])
  secret.fill(0)
  for (const part of [date, region, service, terminator]) {
    const next = createHmac('sha256', key).update(part).digest()
    key.fill(0)
    key = next
  }
  const signingKey = createSecretKey(key)
  key.fill(0)
  return signingKey
}
