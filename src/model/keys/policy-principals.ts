import { partitionOf } from '../arn.ts'
import { namedPrincipal, type Principals } from '../identities/principals.ts'
import type { Key } from './key.ts'

/** The key policy as callers see it. */
export function shownKeyPolicy({ policy, policyPrincipals, region }: Key, principals: Principals): string {
  return shownPolicy(policy, policyPrincipals, partitionOf(region), principals)
}

/**
 * The policy of a resource: its text, with a unique id in the place of each ARN whose principal is gone. One created again under the same
 * name is another principal. IAM User Guide, "AWS JSON policy elements: Principal".
 *
 * @param principalIds of those that it named when it was put, by ARN
 */
export function shownPolicy(
  policy: string,
  principalIds: Readonly<Record<string, string>> = {},
  partition: string,
  principals: Principals,
): string {
  const gone = new Map(
    Object.entries(principalIds).filter(([arn, id]) => namedPrincipal(arn, partition, principals)?.id !== id),
  )
  return gone.size === 0 ? policy : withPrincipals(policy, arn => gone.get(arn))
}

const tokens = /"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/g

/** Replaces names in Principal and NotPrincipal elements. @param policy valid JSON */
function withPrincipals(policy: string, replacement: (name: string) => string | undefined): string {
  /** For each open object the member that is being read; undefined for arrays. */
  const open: (string | undefined)[] = []
  return policy.replace(tokens, (token, colon?: string) => {
    if (token === '{' || token === '[') open.push(undefined)
    else if (token === '}' || token === ']') open.pop()
    else if (colon !== undefined) open[open.length - 1] = JSON.parse(token.slice(0, -colon.length)) as string
    else if (namesPrincipals(open)) return quoted(replacement(JSON.parse(token) as string)) ?? token
    return token
  })
}

function namesPrincipals(open: readonly (string | undefined)[]): boolean {
  const [statement, element, kind, ...rest] = open.filter(member => member !== undefined)
  const isPrincipal = element === 'Principal' || element === 'NotPrincipal'
  return statement === 'Statement' && isPrincipal && kind === 'AWS' && rest.length === 0
}

function quoted(name: string | undefined): string | undefined {
  return name === undefined ? undefined : JSON.stringify(name)
}
