import { Failure } from '../../errors.ts'
import { principalArn } from '../arn.ts'
import type { Owner } from './policy.ts'

/** An OpenID Connect identity provider of an account, whose tokens let their bearers assume roles: IAM User Guide, "OIDC federation". */
export interface OidcProvider {
  /** For example `arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com`: with the URL, without its scheme. */
  readonly arn: string
  /** 12 digits. */
  readonly account: string
  /** The issuer: `iss` of its tokens, character by character. */
  readonly url: string
  /** A token must be for one of them: `azp`, or else `aud`. */
  readonly audiences: readonly string[]
  /** Of its JSON Web Key Set (RFC 7517, section 5). Default: what its discovery document says (OpenID Connect Discovery 1.0, section 4). */
  readonly jwksUrl?: string | undefined
  /** A file with its JSON Web Key Set, instead of a URL. Absolute path. */
  readonly jwksFile?: string | undefined
  /** PEM certificates of the authorities that its server is trusted by, instead of those of Node.js. Absolute path. */
  readonly caFile?: string | undefined
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  readonly owner?: Owner | undefined
  readonly revision: number
}

const scheme = 'https://'
/** Characters: IAM API Reference, "CreateOpenIDConnectProvider". */
const longest = 255
const mostAudiences = 100

/** @param issuer its URL; anything, if a token says so */
export function oidcProviderArn(partition: string, account: string, issuer: string): string {
  return principalArn(partition, account, `oidc-provider/${issuerName(issuer)}`)
}

/** The URL without its scheme: as it stands in the ARN, and before the names of condition keys. */
export function issuerName(url: string): string {
  return url.startsWith(scheme) ? url.slice(scheme.length) : url
}

/** Throws Validation for a provider that cannot be. */
export function checkOidcProvider(
  provider: Pick<OidcProvider, 'url' | 'audiences' | 'jwksUrl' | 'jwksFile' | 'caFile'>,
) {
  const { url, audiences, jwksUrl, jwksFile, caFile } = provider
  if (url.length > longest || !isIssuer(url))
    throw invalid(`${url} is not the URL of an issuer: https, without a query, a fragment or credentials`)
  if (audiences.length === 0 || audiences.length > mostAudiences)
    throw invalid(`a provider has 1 to ${mostAudiences} audiences`)
  if (audiences.some(audience => audience.length === 0 || audience.length > longest))
    throw invalid(`an audience has 1 to ${longest} characters`)
  if (new Set(audiences).size < audiences.length) throw invalid('an audience is listed twice')
  if (jwksUrl !== undefined && jwksFile !== undefined) throw invalid('set either jwksUrl or jwksFile')
  if (jwksUrl !== undefined && !isHttps(jwksUrl)) throw invalid(`${jwksUrl} is not an https URL`)
  for (const file of [jwksFile, caFile])
    if (file !== undefined && !file.startsWith('/')) throw invalid(`${file} is not an absolute path`)
}

/** As the URL standard writes it, so that an issuer has one spelling. A final slash belongs to it: Auth0's issuers have one. */
function isIssuer(url: string): boolean {
  if (!isHttps(url)) return false
  const { href, search, hash, username, password } = new URL(url)
  return search + hash + username + password === '' && (href === url || href === `${url}/`)
}

function isHttps(url: string): boolean {
  return url.startsWith(scheme) && URL.canParse(url)
}

function invalid(message: string): Failure {
  return new Failure('Validation', message)
}
