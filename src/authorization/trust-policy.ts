/** What a new trust policy of a role must satisfy: IAM API Reference, "CreateRole"; IAM User Guide, "IAM and AWS STS quotas". */
import { Failure } from '../errors.ts'
import { asciiLowerCase } from '../model/ascii.ts'
import type { Principals } from '../model/identities/principals.ts'
import type { Partition } from '../model/partitions.ts'
import { malformed, parsePolicy, type Statement } from './grammar.ts'
import { invalidNames, principalIdsOf } from './named-principals.ts'
import { checkNewStatement } from './new-statement.ts'

/** Characters without white space. */
const maximumLength = 2048

/**
 * Throws MalformedPolicyDocument, with the texts of IAM, or LimitExceeded for one that is too long.
 *
 * @returns unique ids of the users, roles and sessions that it names, by their ARNs
 */
export function checkTrustPolicy(
  text: string,
  partition: Partition,
  principals: Principals,
): Readonly<Record<string, string>> {
  // Before the work of parsing: more white space than that serves nobody.
  if (text.length > 10 * maximumLength || text.replace(/\s+/g, '').length > maximumLength) {
    throw new Failure('LimitExceeded', `Cannot exceed quota for ACLSizePerRole: ${maximumLength}`)
  }
  const { statements } = parsePolicy(text, 'trust')
  const sids = statements.flatMap(({ sid }) => (sid ? [sid] : []))
  if (new Set(sids).size < sids.length) throw malformed('The Statement Ids in the policy are not unique')
  for (const statement of statements) checkStatement(statement, partition, principals)
  return principalIdsOf(statements, partition, principals)
}

function checkStatement(statement: Statement, partition: Partition, principals: Principals): void {
  const { principals: named, actions } = statement
  if (named!.negated) throw malformed('AssumeRole policy must not contain NotPrincipal field.')
  checkNewStatement(statement, 'trust')
  if (!actions.values.every(action => asciiLowerCase(action).startsWith('sts:'))) {
    throw malformed('AssumeRole policy may only specify STS AssumeRole actions.')
  }
  const [invalid] = invalidNames(statement, partition, principals)
  if (invalid?.kind === 'Federated') {
    throw malformed('Federated principals must be valid domain names or SAML metadata ARNs')
  }
  if (invalid) {
    const kind = invalid.kind === 'AWS' ? 'AWS' : 'SERVICE'
    throw malformed(`Invalid principal in policy: "${kind}":"${invalid.name.slice(0, 200)}"`)
  }
}
