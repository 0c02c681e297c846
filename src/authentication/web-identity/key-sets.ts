/** The public keys of identity providers: JSON Web Key Sets (RFC 7517), downloaded or from a file. */
import { readFile, stat } from 'node:fs/promises'
import { createLocalJWKSet, createRemoteJWKSet, customFetch, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import type { OidcProvider } from '../../model/identities/oidc-provider.ts'
import { download, longestDocument } from './download.ts'

/** Milliseconds between downloads for keys that a set lacks, and after one that failed: whoever sends a token can ask for them. */
const cooldown = 30_000
/** Milliseconds that a set is used without asking whether it has changed: a key that was withdrawn is accepted for so long. */
const longestAge = 600_000

/** The key set of a provider cannot be had: not the fault of the token. */
export class KeySetUnavailable extends Error {
  constructor(cause: unknown) {
    super('the key set of the identity provider is not available', { cause })
    this.name = 'KeySetUnavailable'
  }
}

interface KeySet {
  readonly keys: Promise<JWTVerifyGetKey>
  /** What it was read from, as far as that tells whether it has changed. */
  readonly version: string
}

export interface KeySetOptions {
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  /** Milliseconds of a download. */
  readonly timeout: number
  /** Called when a download or file fails, at most once in the cooldown. */
  readonly failed: (provider: OidcProvider, cause: unknown) => void
}

export class KeySets {
  readonly #options: KeySetOptions
  /** By the record of the provider, which is replaced when it changes. */
  readonly #known = new WeakMap<OidcProvider, KeySet>()
  readonly #failures = new WeakMap<OidcProvider, { readonly at: number; readonly failure: KeySetUnavailable }>()

  constructor(options: KeySetOptions) {
    this.#options = options
  }

  /** Finds the key of a token, downloading the key set if need be. Rejects with KeySetUnavailable, or an error of jose if it has no such key. */
  of(provider: OidcProvider): JWTVerifyGetKey {
    return async (header, token) => (await this.#keysOf(provider))(header, token)
  }

  async #keysOf(provider: OidcProvider): Promise<JWTVerifyGetKey> {
    const { jwksFile } = provider
    const version = jwksFile === undefined ? '' : await this.#available(provider, () => versionOf(jwksFile))
    const known = this.#known.get(provider)
    if (known?.version === version) return known.keys
    const keys =
      jwksFile === undefined
        ? Promise.resolve(this.#remote(provider))
        : this.#available(provider, () => keysInFile(jwksFile))
    const keySet = { keys, version }
    this.#known.set(provider, keySet)
    keys.catch(() => this.#known.get(provider) === keySet && this.#known.delete(provider))
    return keys
  }

  /** What the discovery document says is asked for with each download: a key set may move. */
  #remote(provider: OidcProvider): JWTVerifyGetKey {
    const get = this.#downloads(provider)
    const { jwksUrl } = provider
    return createRemoteJWKSet(new URL(jwksUrl ?? discoveryUrl(provider)), {
      cooldownDuration: cooldown,
      cacheMaxAge: longestAge,
      async [customFetch]() {
        const url = jwksUrl ?? (await get(discoveryUrl(provider), document => jwksUri(document, provider)))
        return get(url, document => Response.json(keySetIn(document)))
      },
    })
  }

  /** What is downloaded is read at once: what cannot be read has failed, too. */
  #downloads(provider: OidcProvider): <T>(url: string, read: (document: unknown) => T) => Promise<T> {
    const { caFile } = provider
    return async (url, read) => {
      const last = this.#lastFailure(provider)
      if (last) throw last
      return this.#available(provider, async () => {
        const ca = caFile && (await readFile(caFile, 'utf8'))
        return read(await download(url, ca, this.#options.timeout))
      })
    }
  }

  async #available<T>(provider: OidcProvider, get: () => Promise<T>): Promise<T> {
    try {
      return await get()
    } catch (cause) {
      const failure = new KeySetUnavailable(cause)
      if (!this.#lastFailure(provider)) {
        this.#failures.set(provider, { at: this.#options.clock(), failure })
        this.#options.failed(provider, cause)
      }
      throw failure
    }
  }

  /** Within the cooldown. */
  #lastFailure(provider: OidcProvider): KeySetUnavailable | undefined {
    const last = this.#failures.get(provider)
    return last && Math.abs(this.#options.clock() - last.at) < cooldown ? last.failure : undefined
  }
}

/** OpenID Connect Discovery 1.0, section 4: without a slash at the end of the issuer. */
function discoveryUrl({ url }: OidcProvider): string {
  return `${url.replace(/\/$/, '')}/.well-known/openid-configuration`
}

/** Of a discovery document: OpenID Connect Discovery 1.0, section 4. */
function jwksUri(document: unknown, { url: issuer }: OidcProvider): string {
  const { issuer: said, jwks_uri: url } = Object(document) as Readonly<Record<string, unknown>>
  if (said === issuer && typeof url === 'string' && url.startsWith('https://') && URL.canParse(url)) return url
  throw new Error(`the discovery document of ${issuer} is of another issuer, or has no jwks_uri with https`)
}

function keySetIn(document: unknown): JSONWebKeySet {
  const { keys } = Object(document) as Readonly<Record<string, unknown>>
  if (!Array.isArray(keys)) throw new Error('it is no JSON Web Key Set')
  // Throws for keys that are none.
  createLocalJWKSet(document as JSONWebKeySet)
  return document as JSONWebKeySet
}

async function versionOf(file: string): Promise<string> {
  const { mtimeMs, size, ino } = await stat(file)
  if (size > longestDocument) throw new Error(`${file} has more than ${longestDocument} bytes`)
  return [mtimeMs, size, ino].join()
}

async function keysInFile(file: string): Promise<JWTVerifyGetKey> {
  return createLocalJWKSet(keySetIn(JSON.parse(await readFile(file, 'utf8'))))
}
