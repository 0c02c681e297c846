/** Who the bearer of a token of an OpenID Connect identity provider is: OpenID Connect Core 1.0, section 3.1.3.7; IAM User Guide, "OIDC federation". */
import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from 'jose'
import { Failure } from '../../errors.ts'
import type { WebIdentityCaller } from '../../model/identities/caller.ts'
import { issuerName, type OidcProvider, oidcProviderArn } from '../../model/identities/oidc-provider.ts'
import { type KeySets, KeySetUnavailable } from './key-sets.ts'

export interface WebIdentityOptions {
  readonly providersOf: (account: string) => readonly OidcProvider[]
  readonly keySets: KeySets
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  /** The region that calls without a signature are for, by partition. */
  readonly regionOf: (partition: string) => string
}

/** Where the role is that is to be assumed: its account must have the provider. */
export interface Place {
  readonly partition: string
  /** 12 digits. */
  readonly account: string
}

/** Those of IAM. All are asymmetric: the key set is public. */
const algorithms = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512']
/** Seconds by which the clock of a provider may differ: IAM User Guide, "Create an OpenID Connect (OIDC) identity provider in IAM". */
const clockTolerance = 300
/** Characters: STS API Reference, "AssumeRoleWithWebIdentity". */
const longestSubject = 255

/**
 * Verifies a token and finds its bearer. Nothing that a token says is used before its signature is verified, but to find its provider.
 *
 * Rejects with InvalidIdentityToken, ExpiredIdentityToken, or IDPCommunicationError if the keys of the provider are not available. No message
 * has the token.
 */
export async function webIdentity(
  token: string,
  { partition, account }: Place,
  { providersOf, keySets, clock, regionOf }: WebIdentityOptions,
): Promise<WebIdentityCaller> {
  const issuer = issuerOf(token)
  const provider = providersOf(account).find(({ url }) => url === issuer)
  if (!provider) throw invalid(`No OpenIDConnect provider found in your account for ${issuer.slice(0, 255)}`)
  const claims = await verified(token, provider, keySets, clock())
  const audience = audienceOf(claims, provider)
  const { sub: subject } = claims
  if (typeof subject !== 'string' || subject === '' || subject.length > longestSubject) {
    throw invalid(`The token has no subject of 1 to ${longestSubject} characters.`)
  }
  const arn = oidcProviderArn(partition, account, issuer)
  return {
    type: 'webIdentity',
    arn,
    provider: arn,
    issuer: issuerName(issuer),
    subject,
    audience,
    claims,
    account,
    principalId: `${arn}:${audience}:${subject}`,
    region: regionOf(partition),
    accessKeyId: '',
    policies: [],
    tags: [],
  }
}

/** Not verified. */
function issuerOf(token: string): string {
  let header: { readonly alg?: unknown }
  let issuer: unknown
  try {
    header = decodeProtectedHeader(token)
    issuer = decodeJwt(token).iss
  } catch {
    throw notAToken()
  }
  if (typeof header.alg !== 'string' || !algorithms.includes(header.alg)) {
    throw invalid(`The algorithm of the token is not supported: use one of ${algorithms.join(', ')}.`)
  }
  if (typeof issuer !== 'string') throw invalid('The token has no issuer.')
  return issuer
}

async function verified(token: string, provider: OidcProvider, keySets: KeySets, now: number): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, keySets.of(provider), {
      algorithms,
      issuer: provider.url,
      currentDate: new Date(now),
      clockTolerance,
      requiredClaims: ['exp', 'iat'],
    })
    return payload
  } catch (thrown) {
    throw failureOf(thrown, now)
  }
}

function failureOf(thrown: unknown, now: number): Failure {
  if (thrown instanceof KeySetUnavailable) {
    const message = 'The keys of the identity provider are not available. Try again later.'
    return new Failure('IDPCommunicationError', message, { cause: thrown })
  }
  if (thrown instanceof errors.JWTExpired) {
    const seconds = Math.floor(now / 1000)
    const text = `Token expired: current date/time ${seconds} must be before the expiration date/time ${thrown.payload.exp}`
    return new Failure('ExpiredIdentityToken', text)
  }
  if (thrown instanceof errors.JWTClaimValidationFailed) {
    if (thrown.claim === 'nbf') return invalid('The token is not valid yet.')
    return invalid(`The claim ${thrown.claim} of the token is missing or invalid.`)
  }
  if (thrown instanceof errors.JWKSNoMatchingKey || thrown instanceof errors.JWKSMultipleMatchingKeys) {
    const text =
      "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements"
    return invalid(text)
  }
  if (thrown instanceof errors.JWKSInvalid || thrown instanceof errors.JWKInvalid) {
    return new Failure('IDPCommunicationError', 'The key set of the identity provider is not valid.', { cause: thrown })
  }
  if (thrown instanceof errors.JWSSignatureVerificationFailed)
    return invalid('The signature of the token is not valid.')
  if (thrown instanceof errors.JOSEError) return notAToken()
  // Such as a key that is too short for its algorithm.
  return new Failure('IDPCommunicationError', 'The key of the identity provider is not valid.', { cause: thrown })
}

/** `azp`, the party to which the token was issued, if there is one; else the first audience that the provider has. */
function audienceOf({ azp, aud = [] }: JWTPayload, { audiences }: OidcProvider): string {
  const given = (typeof azp === 'string' ? [azp] : [aud].flat()).filter(audience => typeof audience === 'string')
  const fitting = given.find(audience => audiences.includes(audience))
  if (fitting !== undefined) return fitting
  throw invalid(
    `Incorrect token audience: the token is for ${listed(given)}; the provider accepts ${listed(audiences)}.`,
  )
}

function listed(audiences: readonly string[]): string {
  const shown = audiences.slice(0, 100).map(audience => `'${audience.slice(0, 255)}'`)
  return shown.length === 0 ? 'nobody' : shown.join(', ')
}

function notAToken(): Failure {
  return invalid('The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)')
}

function invalid(message: string): Failure {
  return new Failure('InvalidIdentityToken', message)
}
