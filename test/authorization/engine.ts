import { decide } from '../../src/authorization/decide.ts'
import type { Policies, RequestPrincipal } from '../../src/authorization/request.ts'
import { type Simulation, simulate } from '../../src/authorization/simulate.ts'
import type { Grantee, Outcome, Question } from './naive-evaluator.ts'
import type { Policy } from './naive-text.ts'

/** What the policy engine decides and why, asked as `strongroom policy simulate` asks it. */
export function simulated(question: Question): Simulation {
  return simulate(JSON.stringify(question))
}

/** What the policy engine decides on a resource with a policy, asked as the gateway asks it. */
export function decided(question: Question, grantee?: Grantee): Outcome {
  const { principal, action, resource, context = {} } = question.request
  const values = new Map(Object.entries(context).map(([name, values]) => [name.toLowerCase(), values]))
  const request = { action, resource, account: accountOf(resource), context: (name: string) => values.get(name) }
  return decide(
    {
      ...request,
      principal: principalOf(principal, resource.split(':')[3] ?? '', values.get('aws:federatedprovider')?.[0]),
    },
    policiesOf(question, grantee),
  ).outcome
}

function principalOf(arn: string, region: string, provider: string | undefined): RequestPrincipal {
  const role = /^(arn:[^:]+):sts::(\d+):assumed-role\/(.+)\//.exec(arn)
  return {
    arn,
    account: accountOf(arn),
    principalId: '',
    ...(!arn.startsWith('arn:') && { service: arn, region }),
    ...(arn.includes(':oidc-provider/') && { provider: arn }),
    ...(role && provider !== undefined && { federation: { provider } }),
    ...(role && { roleArn: `${role[1]}:iam::${role[2]}:role/${role[3]}` }),
  }
}

function policiesOf(question: Question, grantee: Grantee | undefined): Policies {
  const { resourcePolicy, identityPolicies = [], permissionsBoundary, sessionPolicy } = question
  return {
    identity: identityPolicies.map(policy => JSON.stringify(policy)),
    ...(permissionsBoundary && { boundary: JSON.stringify(permissionsBoundary) }),
    ...(sessionPolicy && { session: [JSON.stringify(sessionPolicy)] }),
    ...(resourcePolicy && { resource: resourceOf(question, resourcePolicy) }),
    ...(grantee && { grant: () => ({ id: 'a1b2', grantee }) }),
  }
}

function resourceOf({ request }: Question, policy: Policy): NonNullable<Policies['resource']> {
  return { text: JSON.stringify(policy), kind: request.resource.includes(':role/') ? 'trust' : 'resource' }
}

function accountOf(arn: string): string {
  return arn.split(':')[4] ?? ''
}
