import { asciiLowerCase } from '../../model/ascii.ts'
import type { Condition } from '../grammar.ts'
import { accountsIn, holdsWithoutKey, listed, type StatementRule, type Studied, type Subject } from './rule.ts'

/** Rules about one statement of the trust policy of a role. */
export const trustRules: readonly StatementRule[] = [
  rule('missing-external-id', missingExternalId),
  rule('token-of-anybody', tokenOfAnybody),
  rule('subject-of-anybody', subjectOfAnybody),
  rule('action-of-other-principals', actionOfOtherPrincipals),
]

/** @param find for an Allow of a trust policy */
function rule(name: string, find: StatementRule['find']): StatementRule {
  const applies = (statement: Studied, { kind }: Subject) => kind === 'trust' && statement.effect === 'Allow'
  return { name, find: (statement, subject) => (applies(statement, subject) ? find(statement, subject) : []) }
}

/** IAM User Guide, "The confused deputy problem": an account that serves others cannot be made to use this role for one of them. */
function missingExternalId(statement: Studied, subject: Subject): readonly string[] {
  const { principals, covers } = statement
  const externalId = `${subject.vocabulary.prefix}ExternalId`
  if (!covers.has('AssumeRole') || requires(statement, subject, externalId)) return []
  const others = accountsIn(principals!.aws).filter(account => account !== subject.account)
  const unless = subject.account === undefined ? ' (unless it is the own account: see --account)' : ''
  return others.map(account => `allows the account ${account}${unless} without requiring ${externalId}`)
}

/** IAM User Guide, "Create a role for OpenID Connect federation": whoever has an account with the provider has a token. */
function tokenOfAnybody(statement: Studied, subject: Subject): readonly string[] {
  if (!statement.covers.has('AssumeRoleWithWebIdentity')) return []
  return issuersOf(statement)
    .filter(issuer => !statement.conditions.some(condition => restricts(condition, issuer, statement, subject)))
    .map(issuer => `allows everybody who has a token of ${issuer}: no condition requires a ${issuer}:sub`)
}

/** Whether a condition on a claim other than the audience fails without the claim. */
function restricts(condition: Condition, issuer: string, { effect }: Studied, { document }: Subject): boolean {
  const key = asciiLowerCase(condition.key)
  if (!key.startsWith(`${issuer}:`) || key === `${issuer}:aud`) return false
  return !holdsWithoutKey(condition, effect, document.version)
}

/** Patterns that any organization of a public provider, or any service account of a cluster, meets. */
function subjectOfAnybody({ conditions }: Studied): readonly string[] {
  const subjects = conditions.filter(({ operator, key }) => /StringLike/.test(operator) && /:sub$/i.test(key))
  const wide = /^(?:repo:|project_path:|organization:|system:serviceaccount:)?[*?]/
  return subjects.flatMap(({ key, values }) =>
    values.filter(value => wide.test(value)).map(value => `accepts ${key} "${value}", which any subject can have`),
  )
}

function actionOfOtherPrincipals({ principals, covers, actions }: Studied): readonly string[] {
  const { aws, services, federated } = principals!
  if (actions.negated || aws.includes('*')) return []
  const called = ['AssumeRole', 'AssumeRoleWithWebIdentity', 'AssumeRoleWithSAML'].filter(action => covers.has(action))
  if (called.length === 0) return []
  if (aws.length + services.length === 0 && !called.some(action => action !== 'AssumeRole')) {
    return [`never applies: ${listed(federated)} calls AssumeRoleWithWebIdentity, not AssumeRole`]
  }
  if (federated.length > 0 || called.includes('AssumeRole')) return []
  return [`never applies: ${listed([...aws, ...services])} calls AssumeRole, not ${listed(called)}`]
}

/** Whether a condition on the key fails without it. */
function requires({ conditions, effect }: Studied, { document }: Subject, key: string): boolean {
  const ofKey = conditions.filter(condition => asciiLowerCase(condition.key) === asciiLowerCase(key))
  return ofKey.some(condition => !holdsWithoutKey(condition, effect, document.version))
}

/** As condition keys name them, in lower case: of OIDC providers. */
export function issuersOf({ principals }: Pick<Studied, 'principals'>): readonly string[] {
  return (principals?.federated ?? []).flatMap(name => {
    if (name.includes(':saml-provider/')) return []
    return asciiLowerCase(name.replace(/^.*?:oidc-provider\//, ''))
  })
}
