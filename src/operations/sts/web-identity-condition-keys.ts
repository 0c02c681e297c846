/** Condition keys of tokens: IAM User Guide, "IAM and AWS STS condition context keys", "Available keys for AWS OIDC federation". */
import { asciiLowerCase } from '../../model/ascii.ts'
import type { Caller, WebIdentityCaller } from '../../model/identities/caller.ts'
import type { ConditionValues } from '../../services.ts'

const computed = new WeakMap<WebIdentityCaller, ReadonlyMap<string, readonly string[]>>()

/**
 * A key for each claim, such as `token.actions.githubusercontent.com:repository`. `aud` is the audience that counts: `azp` if there is one, and
 * `oaud` then the original one. Names of condition keys are case-insensitive, those of claims are not: no other claim stands for these, and the
 * values of others that differ in case only are those of one key, which then makes no policy wider.
 */
export function webIdentityConditions(caller: Caller): ConditionValues {
  if (caller.type !== 'webIdentity') return () => undefined
  const known = computed.get(caller) ?? valuesOf(caller)
  computed.set(caller, known)
  return name => known.get(name)
}

function valuesOf({ issuer, claims, subject, audience }: WebIdentityCaller): ReadonlyMap<string, readonly string[]> {
  const { aud, azp } = claims
  const verified = { sub: subject, aud: audience, oaud: typeof azp === 'string' ? aud : undefined }
  const others = Object.entries(claims).filter(([claim]) => !Object.hasOwn(verified, asciiLowerCase(claim)))
  const all = [...Object.entries(verified), ...others].flatMap(([claim, value]) => {
    return textsOf(value).map(text => ({ key: asciiLowerCase(`${issuer}:${claim}`), text }))
  })
  const byKey = Map.groupBy(all, ({ key }) => key)
  return new Map(Array.from(byKey, ([key, same]) => [key, same.map(({ text }) => text)]))
}

/** None of anything but texts, numbers, booleans and lists of them. */
function textsOf(value: unknown): readonly string[] {
  const list = Array.isArray(value) ? value : [value]
  const isPlain = (item: unknown) => ['string', 'number', 'boolean'].includes(typeof item)
  return list.every(isPlain) ? list.map(String) : []
}
