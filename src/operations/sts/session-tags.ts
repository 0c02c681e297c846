/** Session tags and source identity: IAM User Guide, "Pass session tags in AWS STS" and "Monitor and control actions taken with assumed roles". */
import { Failure } from '../../errors.ts'
import { asciiLowerCase } from '../../model/ascii.ts'
import type { Caller } from '../../model/identities/caller.ts'
import type { Tag } from '../../model/keys/key.ts'
import type { Input } from './operation.ts'

/** Parameters of AssumeRole. */
export type Tagging = Pick<Input<'AssumeRole'>, 'Tags' | 'TransitiveTagKeys'>

export interface SessionTags {
  /** Those of the calling session that are transitive. */
  readonly inherited: readonly Tag[]
  readonly tags: readonly Tag[]
  readonly transitiveTagKeys: readonly string[]
}

const maximumTags = 50

/** By input, as the same object: values of condition keys are computed once for it. */
const passedTags = new WeakMap<object, readonly Tag[]>()

/** The tags that a request passes. */
export function tagsPassed({ Tags }: Tagging): readonly Tag[] | undefined {
  if (Tags === undefined) return undefined
  const known = passedTags.get(Tags)
  if (known) return known
  const tags = Tags.map(({ Key, Value }) => ({ TagKey: Key!, TagValue: Value! }))
  passedTags.set(Tags, tags)
  return tags
}

/** The tags of a new session. Throws Validation. */
export function sessionTags(input: Tagging, caller: Caller): SessionTags {
  const passed = tagsPassed(input) ?? []
  const keys = new Set(passed.map(({ TagKey }) => asciiLowerCase(TagKey)))
  if (keys.size < passed.length) {
    throw invalid('Duplicate tag keys found. Please note that Tag keys are case insensitive.')
  }
  if ([...keys].some(key => key.startsWith('aws:'))) {
    throw invalid('aws: prefixed tag key names are not allowed for external use.')
  }
  const { TransitiveTagKeys: transitive = [] } = input
  if (!transitive.every(key => keys.has(asciiLowerCase(key)))) {
    throw invalid('The specified transitive tag key must be included in the requested tags.')
  }
  const inherited = inheritedFrom(caller)
  if (inherited.some(({ TagKey }) => keys.has(asciiLowerCase(TagKey)))) {
    const text =
      "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session."
    throw invalid(text)
  }
  const tags = [...inherited, ...passed]
  if (tags.length > maximumTags) throw invalid(`A session has at most ${maximumTags} tags, inherited ones included.`)
  return { inherited, tags, transitiveTagKeys: [...inherited.map(({ TagKey }) => TagKey), ...transitive] }
}

function inheritedFrom(caller: Caller): readonly Tag[] {
  if (caller.type !== 'assumedRole' || !caller.transitiveTagKeys) return []
  const keys = new Set(caller.transitiveTagKeys.map(asciiLowerCase))
  return caller.tags.filter(({ TagKey }) => keys.has(asciiLowerCase(TagKey)))
}

/** The source identity of a new session: once set, it stays the same through role chaining. Throws Validation. */
export function sourceIdentity({ SourceIdentity }: Input<'AssumeRole'>, caller: Caller): string | undefined {
  const inherited = caller.type === 'assumedRole' ? caller.sourceIdentity : undefined
  if (inherited !== undefined && SourceIdentity !== undefined && SourceIdentity !== inherited) {
    throw invalid('The source identity of the calling session cannot be changed.')
  }
  return inherited ?? SourceIdentity
}

function invalid(message: string): Failure {
  return new Failure('Validation', message)
}

/** By key, as CloudTrail has those that come from elsewhere than the request. */
export function tagMap(tags: readonly Tag[]): Readonly<Record<string, string>> {
  return Object.fromEntries(tags.map(({ TagKey, TagValue }) => [TagKey, TagValue]))
}
