/**
 * AWS managed policies that make sense here, by name: AWS Managed Policy Reference Guide. Their ARN has `aws` for an account, and the
 * partition of the request.
 */
const documents: Readonly<Record<string, object>> = {
  AdministratorAccess: {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }],
  },
  AWSKeyManagementServicePowerUser: {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Action: [
          'kms:CreateAlias',
          'kms:CreateKey',
          'kms:DeleteAlias',
          'kms:Describe*',
          'kms:GenerateRandom',
          'kms:Get*',
          'kms:List*',
          'kms:TagResource',
          'kms:UntagResource',
          'iam:ListGroups',
          'iam:ListRoles',
          'iam:ListUsers',
        ],
        Resource: '*',
      },
    ],
  },
}

const texts = new Map(Object.entries(documents).map(([name, document]) => [name, JSON.stringify(document)]))

export const awsManagedPolicyNames: readonly string[] = [...texts.keys()]

/** Its JSON text; undefined if the ARN names no AWS managed policy that is known here. */
export function awsManagedPolicy(arn: string): string | undefined {
  const [, name] = /^arn:[a-z-]+:iam::aws:policy\/(\w+)$/.exec(arn) ?? []
  return name === undefined ? undefined : texts.get(name)
}
