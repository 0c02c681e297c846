/** Likely mistakes in a policy that is legal. Pure: it knows no file, no storage and no API. */
import type { PolicyVocabulary } from '../../model/policy-vocabulary.ts'
import { type PolicyDocument, type PolicyKind, parsePolicy } from '../grammar.ts'
import { conditionRules } from './condition-rules.ts'
import { policyRules } from './policy-rules.ts'
import { accountsIn, type Subject, study } from './rule.ts'
import { statementRules } from './statement-rules.ts'
import { trustRules } from './trust-rules.ts'

export interface Warning {
  /** Name of the rule, in kebab case. */
  readonly rule: string
  /** Absent for the policy as a whole. */
  readonly statement?: { readonly position: number; readonly sid?: string | undefined }
  /** One sentence without a full stop. With a statement it begins behind "statement N". */
  readonly text: string
}

export interface LintOptions {
  readonly kind: PolicyKind
  readonly vocabulary: PolicyVocabulary
  /** Milliseconds since the epoch. */
  readonly now: number
  /** That owns the resource: 12 digits. By default the first one that the policy allows, or of a trust policy that of an identity provider. */
  readonly account?: string | undefined
}

/** In the order of the statements, then those about the whole. Throws MalformedPolicyDocument. */
export function lint(text: string, { kind, vocabulary, now, account }: LintOptions): readonly Warning[] {
  const document = parsePolicy(text, kind)
  const statements = document.statements.map(statement => study(statement, vocabulary))
  const subject: Subject = {
    kind,
    document,
    statements,
    vocabulary,
    now,
    account: account ?? likelyOwner(document, kind),
  }
  const found = statements.flatMap(statement =>
    [...statementRules, ...trustRules, ...conditionRules].flatMap(({ name, find }) =>
      find(statement, subject).map(text => ({ rule: name, statement, text })),
    ),
  )
  const whole = policyRules.flatMap(({ name, find }) => find(subject).map(finding => ({ rule: name, ...finding })))
  const warnings = [...found, ...whole].map(({ rule, statement, text }) => ({
    rule,
    ...(statement && { statement: { position: statement.position, sid: statement.sid } }),
    text,
  }))
  return warnings.sort((a, b) => positionOf(a) - positionOf(b))
}

/** All rules, for documentation. */
export const ruleNames: readonly string[] = [...statementRules, ...trustRules, ...conditionRules, ...policyRules].map(
  ({ name }) => name,
)

function positionOf({ statement }: Warning): number {
  return statement?.position ?? Number.POSITIVE_INFINITY
}

/** Key policies begin with the statement for their own account, almost always. Identity providers belong to the account of the role. */
function likelyOwner({ statements }: PolicyDocument, kind: PolicyKind): string | undefined {
  if (kind === 'trust') {
    return statements.flatMap(({ principals }) => principals!.federated.flatMap(name => name.split(':')[4] ?? []))[0]
  }
  const named = statements.flatMap(({ effect, principals }) =>
    effect === 'Allow' && principals && !principals.negated ? accountsIn(principals.aws) : [],
  )
  return named[0]
}
