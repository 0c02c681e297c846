/** What a token says about the session that is to start: IAM User Guide, "Pass session tags in AWS STS" and "Monitor and control actions taken with assumed roles". */
import { Failure } from '../../errors.ts'
import type { WebIdentityCaller } from '../../model/identities/caller.ts'
import type { Tagging } from './session-tags.ts'

export interface ClaimedSession {
  readonly tagging: Tagging
  readonly sourceIdentity: string | undefined
}

const tagsClaim = 'https://aws.amazon.com/tags'
const sourceIdentityClaim = 'https://aws.amazon.com/source_identity'

const read = new WeakMap<WebIdentityCaller, ClaimedSession>()

/** Throws IDPRejectedClaim, without a value, if a claim has another form. */
export function claimedSession(caller: WebIdentityCaller): ClaimedSession {
  const known = read.get(caller)
  if (known) return known
  const claimed = { tagging: taggingIn(caller.claims), sourceIdentity: sourceIdentityIn(caller.claims) }
  read.set(caller, claimed)
  return claimed
}

/** `{"principal_tags": {KEY: [VALUE]}, "transitive_tag_keys": [KEY]}` */
function taggingIn({ [tagsClaim]: claim }: WebIdentityCaller['claims']): Tagging {
  if (claim === undefined) return {}
  const { principal_tags: tags = {}, transitive_tag_keys: transitive = [] } = recordIn(claim)
  const Tags = Object.entries(recordIn(tags)).map(([Key, values]) => {
    const [Value, ...more] = [values].flat() as unknown[]
    if (more.length > 0 || !isTag(Key, Value)) throw rejected(tagsClaim)
    return { Key, Value }
  })
  if (!Array.isArray(transitive) || !transitive.every(key => typeof key === 'string')) throw rejected(tagsClaim)
  return { Tags, TransitiveTagKeys: transitive }
}

/** As the parameters of AssumeRole. */
function isTag(key: string, value: unknown): value is string {
  return /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u.test(key) && isText(value, /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u)
}

function sourceIdentityIn({ [sourceIdentityClaim]: claim }: WebIdentityCaller['claims']): string | undefined {
  if (claim === undefined) return undefined
  if (!isText(claim, /^[\w+=,.@-]{2,64}$/)) throw rejected(sourceIdentityClaim)
  return claim
}

function isText(value: unknown, pattern: RegExp): value is string {
  return typeof value === 'string' && pattern.test(value)
}

function recordIn(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw rejected(tagsClaim)
}

function rejected(claim: string): Failure {
  return new Failure('IDPRejectedClaim', `The claim ${claim} of the token has not the form that it must have.`)
}
