/** The principals that a new policy of a resource names: which of them are none, and the unique ids of the others. */
import { parsePrincipal } from '../model/arn.ts'
import { namedPrincipal, type Principals } from '../model/identities/principals.ts'
import { isServiceName } from '../model/identities/service-names.ts'
import type { Partition } from '../model/partitions.ts'
import { xksPrincipal } from '../model/xks/prefix.ts'
import type { Statement } from './grammar.ts'

/** A principal that a statement names. */
export interface Named {
  readonly kind: 'AWS' | 'Service' | 'Federated'
  readonly name: string
}

/** Principals of a statement that are malformed, of another partition, or do not exist. */
export function invalidNames(
  { principals: named }: Statement,
  partition: Partition,
  principals: Principals,
): readonly Named[] {
  const { aws, services, federated } = named!
  const invalid = (kind: Named['kind'], names: readonly string[], isValid: (name: string) => boolean) =>
    names.filter(name => !isValid(name)).map(name => ({ kind, name }))
  return [
    ...invalid('AWS', aws, name => name === '*' || exists(name, partition, principals)),
    ...invalid('Service', services, name => name === xksPrincipal || isServiceName(name, partition)),
    ...invalid('Federated', federated, name => isIdentityProvider(name, partition)),
  ]
}

function exists(name: string, partition: Partition, principals: Principals): boolean {
  return namedPrincipal(name, partition.id, principals) !== undefined || isServiceLinkedRole(name, partition)
}

/**
 * AWS creates these roles for its services, which act here by their own names: policies that name the roles are as good as those that name
 * the services. IAM User Guide, "Service-linked roles".
 */
function isServiceLinkedRole(name: string, { id }: Partition): boolean {
  return parsePrincipal(name, id)?.path?.startsWith('aws-service-role/') ?? false
}

/** IAM User Guide, "AWS JSON policy elements: Principal", "Web identity session principals". They need no configuration. */
const builtInProviders = [
  'accounts.google.com',
  'cognito-identity.amazonaws.com',
  'graph.facebook.com',
  'www.amazon.com',
]

/** Whether a provider is configured is not asked, as on AWS for those of OIDC. */
function isIdentityProvider(name: string, { id }: Partition): boolean {
  const [, partition] = /^arn:([^:]+):iam::\d{12}:(?:oidc-provider\/[^\s*?]+|saml-provider\/[\w.-]+)$/.exec(name) ?? []
  return partition === id || builtInProviders.includes(name)
}

/** Unique ids of the users, roles and sessions that statements name, by their ARNs. */
export function principalIdsOf(
  statements: readonly Statement[],
  partition: Partition,
  principals: Principals,
): Readonly<Record<string, string>> {
  const ids: Record<string, string> = {}
  for (const name of statements.flatMap(statement => statement.principals!.aws)) {
    const id = namedPrincipal(name, partition.id, principals)?.id
    if (id !== undefined && id !== name) ids[name] = id
  }
  return ids
}
