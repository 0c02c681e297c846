import type { Principals, Statement } from '../grammar.ts'
import { accountsIn, type PolicyFinding, type PolicyRule, type Studied, type Subject, settled } from './rule.ts'

/** Rules about a policy as a whole. */
export const policyRules: readonly PolicyRule[] = [
  { name: 'no-administration', find: noAdministration },
  { name: 'no-account-principal', find: noAccountPrincipal },
  { name: 'deny-locks-out', find: denialsOfEverybody },
  { name: 'duplicate-sid', find: duplicateSids },
  { name: 'duplicate-statement', find: duplicates },
  { name: 'statement-without-effect', find: shadowed },
]

function noAdministration(subject: Subject): readonly PolicyFinding[] {
  const { statements, vocabulary } = subject
  const { policyAction } = vocabulary
  if (subject.kind !== 'resource' || policyAction === undefined) return []
  const isPerson = ({ negated, aws }: Principals) => negated || aws.length > 0
  const administers = (statement: Studied) => {
    const { effect, covers, principals, conditions } = statement
    if (effect === 'Deny' || !covers.has(policyAction) || !isPerson(principals!)) return false
    return !conditions.some(condition => settled(condition, statement, subject) === false)
  }
  if (statements.some(administers)) return []
  const action = vocabulary.prefix + policyAction
  return [{ text: `no statement allows ${action}: nobody could change this policy` }]
}

/** KMS Developer Guide, "Allows access to the AWS account and enables IAM policies". */
function noAccountPrincipal({ kind, statements, account }: Subject): readonly PolicyFinding[] {
  if (kind !== 'resource') return []
  const delegates = ({ effect, principals }: Studied) => {
    if (effect === 'Deny') return false
    return principals!.negated || principals!.aws.includes('*') || accountsIn(principals!.aws).includes(account ?? '')
  }
  if (statements.some(delegates)) return []
  const text =
    'no statement allows the account itself: identity-based policies have no say, and the key is lost to all when the principals named here are deleted'
  return [{ text }]
}

function denialsOfEverybody(subject: Subject): readonly PolicyFinding[] {
  const { kind, statements, account, vocabulary } = subject
  const { prefix, policyAction } = vocabulary
  if (kind !== 'resource' || policyAction === undefined) return []
  return statements.flatMap(statement => {
    const { effect, covers, conditions, principals } = statement
    const always = conditions.every(condition => settled(condition, statement, subject) === true)
    if (effect === 'Allow' || !always || !covers.has(policyAction)) return []
    const denied = deniedBy(principals!, account)
    return denied === undefined
      ? []
      : [{ statement, text: `denies ${prefix}${policyAction} to ${denied}: nobody could change this policy` }]
  })
}

function deniedBy({ negated, aws }: Principals, account: string | undefined): string | undefined {
  const spared = accountsIn(aws)
  // The users and roles of an account are spared only together with their account.
  if (negated)
    return spared.includes(account ?? '') && aws.length > spared.length ? undefined : 'everybody in the account'
  if (aws.includes('*')) return 'everybody'
  return account !== undefined && spared.includes(account) ? 'everybody in the account' : undefined
}

function duplicateSids({ statements }: Subject): readonly PolicyFinding[] {
  return repeated(
    statements,
    ({ sid }) => sid || undefined,
    (_statement, first) => `repeats the Sid of statement ${first.position}`,
  )
}

function duplicates({ statements }: Subject): readonly PolicyFinding[] {
  const content = ({ effect, principals, actions, resources, conditions }: Studied) =>
    JSON.stringify([effect, principals, actions, resources, conditions].map(sorted))
  return repeated(statements, content, (_statement, first) => `says the same as statement ${first.position}`)
}

/** The same for lists that differ in their order only. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(item => JSON.stringify(sorted(item))).sort()
  if (typeof value !== 'object' || value === null) return value
  return Object.entries(value).map(([name, member]) => [name, sorted(member)])
}

function repeated(
  statements: readonly Studied[],
  identity: (statement: Studied) => string | undefined,
  text: (statement: Studied, first: Studied) => string,
): readonly PolicyFinding[] {
  const firsts = new Map<string, Studied>()
  return statements.flatMap(statement => {
    const own = identity(statement)
    if (own === undefined) return []
    const first = firsts.get(own)
    if (first !== undefined) return [{ statement, text: text(statement, first) }]
    firsts.set(own, statement)
    return []
  })
}

/** An Allow within another one, or within a Deny. Duplicates are a finding of their own. */
function shadowed({ statements }: Subject): readonly PolicyFinding[] {
  return statements.flatMap(statement => {
    if (statement.effect === 'Deny') return []
    const wider = statements.find(other => other !== statement && includes(other, statement))
    if (!wider) return []
    if (wider.effect === 'Deny') return [{ statement, text: `allows only what statement ${wider.position} denies` }]
    if (includes(statement, wider)) return []
    return [{ statement, text: `allows nothing that statement ${wider.position} does not allow` }]
  })
}

/** Whether `wide` applies wherever `narrow` does. */
function includes(wide: Studied, narrow: Studied): boolean {
  if (wide.conditions.length > 0 || narrow.coversOthers || narrow.covers.size === 0) return false
  const { negated, values } = wide.resources
  // A variable without a value makes its whole statement not apply.
  if (negated || !values.includes('*') || values.some(value => value.includes('${'))) return false
  if (![...narrow.covers].every(action => wide.covers.has(action))) return false
  return namesAll(wide, narrow)
}

function namesAll({ principals: wide, effect }: Statement, { principals: narrow }: Statement): boolean {
  if (wide === undefined || narrow === undefined) return wide === narrow
  if (wide.negated || narrow.negated) return false
  if (wide.aws.includes('*')) return true
  // An account is all its users and roles for a Deny; an Allow hands the decision to their identity-based policies.
  const accounts = effect === 'Deny' ? accountsIn(wide.aws) : []
  const isNamed = (name: string) => wide.aws.includes(name) || accounts.includes(name.split(':')[4] ?? name)
  return (
    narrow.aws.every(isNamed) &&
    narrow.services.every(name => wide.services.includes(name)) &&
    narrow.federated.every(name => wide.federated.includes(name))
  )
}
