import type { Outcome, Question } from '../naive-evaluator.ts'
import type { Context, Policy, Statement } from '../naive-text.ts'

/** A decision that AWS documents. */
export interface Case extends Question {
  /** A sentence. */
  readonly title: string
  /** Guide, page, and section if it helps. */
  readonly source: string
  readonly decision: Outcome
}

/** The account that owns the key, and another one. */
export const account = '111122223333'
export const otherAccount = '444455556666'

export const key = 'arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'
export const otherKey = 'arn:aws:kms:us-east-1:111122223333:key/0987dcba-09fe-87dc-65ba-ab0987654321'
export const alias = 'arn:aws:kms:us-east-1:111122223333:alias/app'

export const root = 'arn:aws:iam::111122223333:root'
export const alice = 'arn:aws:iam::111122223333:user/alice'
export const bob = 'arn:aws:iam::111122223333:user/bob'
export const role = 'arn:aws:iam::111122223333:role/app'
export const session = 'arn:aws:sts::111122223333:assumed-role/app/worker-1'
export const otherSession = 'arn:aws:sts::111122223333:assumed-role/app/worker-2'
export const federatedUser = 'arn:aws:sts::111122223333:federated-user/carol'

export const foreignRoot = 'arn:aws:iam::444455556666:root'
export const dave = 'arn:aws:iam::444455556666:user/dave'
export const foreignRole = 'arn:aws:iam::444455556666:role/audit'
export const foreignSession = 'arn:aws:sts::444455556666:assumed-role/audit/nightly'

export function policy(...Statement: readonly Statement[]): Policy {
  return { Version: '2012-10-17', Statement }
}

/** An identity-based policy, boundary or session policy that allows every action of KMS on everything. */
export const allowKms = policy({ Effect: 'Allow', Action: 'kms:*', Resource: '*' })

/** The default key policy: the account's IAM policies decide. */
export const defaultKeyPolicy = policy({
  Sid: 'Enable IAM User Permissions',
  Effect: 'Allow',
  Principal: { AWS: root },
  Action: 'kms:*',
  Resource: '*',
})

/** A key policy that allows alice everything under this condition. */
export function aliceIf(Condition: NonNullable<Statement['Condition']>): Policy {
  return policy({ Effect: 'Allow', Principal: { AWS: alice }, Action: 'kms:*', Resource: '*', Condition })
}

/** A key policy that allows alice everything, but not under this condition. */
export function aliceUnless(Condition: NonNullable<Statement['Condition']>): Policy {
  return policy(
    { Effect: 'Allow', Principal: { AWS: alice }, Action: 'kms:*', Resource: '*' },
    { Effect: 'Deny', Principal: '*', Action: 'kms:*', Resource: '*', Condition },
  )
}

/** Alice asks to decrypt with the key, in a request with these condition keys. */
export function decrypt(context: Context = {}): Question['request'] {
  return { principal: alice, action: 'kms:Decrypt', resource: key, context }
}
