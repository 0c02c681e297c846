/** Condition keys of tokens: IAM User Guide, "IAM and AWS STS condition context keys", "Available keys for AWS OIDC federation". */
import { asciiLowerCase } from '../../model/ascii.ts'
import type { Caller, WebIdentityCaller } from '../../model/identities/caller.ts'
import type { ConditionValues } from '../../services.ts'

const computed = new WeakMap<WebIdentityCaller, ReadonlyMap<string, readonly string[]>>()

/**
 * A key for each claim, such as `token.actions.githubusercontent.com:repository`. `aud` is the audience that counts: `azp` if there is one, and
 * `oaud` then the original one.
 */
export function webIdentityConditions(caller: Caller): ConditionValues {
  if (caller.type !== 'webIdentity') return () => undefined
  const known = computed.get(caller) ?? valuesOf(caller)
  computed.set(caller, known)
  return name => known.get(name)
}

function valuesOf({ issuer, claims, audience }: WebIdentityCaller): ReadonlyMap<string, readonly string[]> {
  const { aud, azp } = claims
  const all = { ...claims, aud: audience, ...(azp !== undefined && { oaud: aud }) }
  const entries = Object.entries(all).flatMap(([claim, value]) => {
    const values = textsOf(value)
    return values.length === 0 ? [] : [[asciiLowerCase(`${issuer}:${claim}`), values] as const]
  })
  return new Map(entries)
}

/** None of anything but texts, numbers, booleans and lists of them. */
function textsOf(value: unknown): readonly string[] {
  const list = Array.isArray(value) ? value : [value]
  const isPlain = (item: unknown) => ['string', 'number', 'boolean'].includes(typeof item)
  return list.every(isPlain) ? list.map(String) : []
}
