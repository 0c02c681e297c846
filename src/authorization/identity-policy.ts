/** What a new identity-based policy must satisfy: IAM User Guide, "IAM and AWS STS quotas" and "IAM JSON policy element reference". */
import { Failure } from '../errors.ts'
import { malformed, parsePolicy } from './grammar.ts'
import { checkNewStatement } from './new-statement.ts'

/** Characters without white space: of one managed policy, and of all inline policies of a user, role or group. */
export const policyQuotas = { managed: 6144, user: 2048, role: 10_240, group: 5120 } as const

/** Throws MalformedPolicyDocument. @param text JSON */
export function checkIdentityPolicy(text: string): void {
  if (/[^\t\n\r\u0020-\u00ff]/.test(text)) throw malformed('The policy contains characters that are not allowed.')
  const sids = new Set<string>()
  for (const statement of parsePolicy(text, 'identity').statements) {
    checkNewStatement(statement, 'identity')
    const { sid, position, actions, resources } = statement
    actions.values.forEach(checkAction)
    resources.values.forEach(checkResource)
    if (sid === undefined || sid === '') continue
    if (!/^[A-Za-z0-9]*$/.test(sid)) {
      throw malformed(
        `Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*`,
      )
    }
    if (sids.has(sid)) throw malformed(`Statement IDs (SID) in a single policy must be unique: statement ${position}`)
    sids.add(sid)
  }
}

/** One that matches no action would leave a Deny without effect. */
function checkAction(action: string): void {
  if (action === '*') return
  const [vendor, name, ...rest] = action.split(':')
  if (name === undefined) throw malformed('Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.')
  if (rest.length > 0) throw malformed('Actions/Condition can contain only one colon.')
  if (!/^[\w.-]+$/.test(vendor!)) throw malformed(`Vendor ${vendor!.slice(0, 100)} is not valid`)
}

function checkResource(resource: string): void {
  if (resource !== '*' && !resource.startsWith('arn:'))
    throw malformed(`Resource ${resource.slice(0, 100)} must be in ARN format or "*".`)
}

/** Throws LimitExceeded. */
export function checkPolicySize(kind: keyof typeof policyQuotas, texts: readonly string[]): void {
  const size = texts.reduce((sum, text) => sum + text.replace(/\s/g, '').length, 0)
  const quota = policyQuotas[kind]
  if (size <= quota) return
  const what = kind === 'managed' ? 'the managed policy' : `the inline policies of the ${kind}`
  throw new Failure('LimitExceeded', `${what} would have ${size} characters without white space: the quota is ${quota}`)
}
