// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables
/**
 * Key policies in the shape that guides and infrastructure modules give them, with fictitious accounts: each must be accepted. Those are
 * the policies that users bring along.
 */
export interface GuidePolicy {
  readonly name: string
  /** Where policies of this shape are recommended or generated. */
  readonly source: string
  readonly policy: unknown
}

export const home = '111122223333'
export const foreign = '444455556666'
const region = 'eu-central-1'
const role = (name: string, account = home) => `arn:aws:iam::${account}:role/${name}`
const user = (name: string, account = home) => `arn:aws:iam::${account}:user/${name}`
const root = (account = home) => `arn:aws:iam::${account}:root`

const administration = {
  Sid: 'Enable IAM User Permissions',
  Effect: 'Allow',
  Principal: { AWS: root() },
  Action: 'kms:*',
  Resource: '*',
}
const use = ['kms:Encrypt', 'kms:Decrypt', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:DescribeKey']

function withAdministration(...statements: unknown[]): unknown {
  return { Version: '2012-10-17', Id: 'key-policy', Statement: [administration, ...statements] }
}

/** Most guides show the statement for a service alone. */
function forService(service: string, rest: Readonly<Record<string, unknown>>): unknown {
  return withAdministration({ Effect: 'Allow', Principal: { Service: service }, Resource: '*', ...rest })
}

export const guidePolicies: readonly GuidePolicy[] = [
  {
    name: 'the default of the console',
    source: 'KMS Developer Guide, "Default key policy"',
    policy: {
      Id: 'key-consolepolicy-3',
      Version: '2012-10-17',
      Statement: [
        administration,
        {
          Sid: 'Allow access for Key Administrators',
          Effect: 'Allow',
          Principal: { AWS: [user('KMSAdminUser'), role('KMSAdminRole')] },
          Action: [
            ...['Create', 'Describe', 'Enable', 'List', 'Put', 'Update', 'Revoke', 'Disable', 'Get', 'Delete'].map(
              verb => `kms:${verb}*`,
            ),
            'kms:TagResource',
            'kms:UntagResource',
            'kms:ScheduleKeyDeletion',
            'kms:CancelKeyDeletion',
            'kms:RotateKeyOnDemand',
          ],
          Resource: '*',
        },
        {
          Sid: 'Allow use of the key',
          Effect: 'Allow',
          Principal: { AWS: role('Application') },
          Action: use,
          Resource: '*',
        },
        {
          Sid: 'Allow attachment of persistent resources',
          Effect: 'Allow',
          Principal: { AWS: role('Application') },
          Action: ['kms:CreateGrant', 'kms:ListGrants', 'kms:RevokeGrant'],
          Resource: '*',
          Condition: { Bool: { 'kms:GrantIsForAWSResource': true } },
        },
      ],
    },
  },
  {
    name: 'a log group',
    source: 'CloudWatch Logs User Guide, "Encrypt log data in CloudWatch Logs using AWS KMS"',
    policy: forService(`logs.${region}.amazonaws.com`, {
      Action: ['kms:Encrypt*', 'kms:Decrypt*', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:Describe*'],
      Condition: {
        ArnEquals: { 'kms:EncryptionContext:aws:logs:arn': `arn:aws:logs:${region}:${home}:log-group:application` },
      },
    }),
  },
  {
    name: 'every log group of an account',
    source: 'CloudWatch Logs User Guide, "Encrypt log data in CloudWatch Logs using AWS KMS"',
    policy: forService(`logs.${region}.amazonaws.com`, {
      Action: ['kms:Encrypt*', 'kms:Decrypt*', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:Describe*'],
      Condition: { ArnLike: { 'kms:EncryptionContext:aws:logs:arn': `arn:aws:logs:${region}:${home}:*` } },
    }),
  },
  {
    name: 'an encrypted topic with events of other services',
    source: 'Amazon SNS Developer Guide, "Key management"',
    policy: withAdministration(
      ...['s3', 'events', 'cloudwatch'].map(service => ({
        Effect: 'Allow',
        Principal: { Service: `${service}.amazonaws.com` },
        Action: ['kms:GenerateDataKey*', 'kms:Decrypt'],
        Resource: '*',
        Condition: {
          ArnLike: { 'aws:SourceArn': `arn:aws:${service}:*:${home}:*` },
          StringEquals: { 'aws:SourceAccount': home },
        },
      })),
    ),
  },
  {
    name: 'volumes through the volume service',
    source: 'KMS Developer Guide, "AWS managed keys", policy of aws/ebs',
    policy: {
      Version: '2012-10-17',
      Id: 'auto-ebs-2',
      Statement: [
        {
          Sid: 'Allow access through EBS for all principals in the account that are authorized to use EBS',
          Effect: 'Allow',
          Principal: { AWS: '*' },
          Action: [...use, 'kms:CreateGrant'],
          Resource: '*',
          Condition: { StringEquals: { 'kms:CallerAccount': home, 'kms:ViaService': `ec2.${region}.amazonaws.com` } },
        },
        {
          Sid: 'Allow direct access to key metadata to the account',
          Effect: 'Allow',
          Principal: { AWS: root() },
          Action: ['kms:Describe*', 'kms:Get*', 'kms:List*', 'kms:RevokeGrant', 'kms:PutKeyPolicy'],
          Resource: '*',
        },
      ],
    },
  },
  {
    name: 'replication of objects',
    source: 'Amazon S3 User Guide, "Replicating encrypted objects"',
    policy: withAdministration({
      Sid: 'Enable cross account encrypt access for S3 Cross Region Replication',
      Effect: 'Allow',
      Principal: { AWS: role('service-role/replication', foreign) },
      Action: ['kms:Encrypt', 'kms:Decrypt'],
      Resource: '*',
      Condition: {
        StringLike: {
          'kms:ViaService': `s3.${region}.amazonaws.com`,
          'kms:EncryptionContext:aws:s3:arn': ['arn:aws:s3:::destination/prefix/*'],
        },
      },
    }),
  },
  {
    name: 'a shared machine image',
    source: 'Amazon EC2 User Guide, "Share an AMI with encrypted snapshots"',
    policy: withAdministration({
      Sid: 'Share the key with another account',
      Effect: 'Allow',
      Principal: { AWS: root(foreign) },
      Action: ['kms:DescribeKey', 'kms:ReEncrypt*', 'kms:CreateGrant', 'kms:Decrypt'],
      Resource: '*',
    }),
  },
  {
    name: 'a machine image shared with an organisation',
    source: 'Amazon EC2 User Guide, "Allow organizations and OUs to use a KMS key"',
    policy: withAdministration({
      Sid: 'Allow access for organization root',
      Effect: 'Allow',
      Principal: '*',
      Action: [
        'kms:Describe*',
        'kms:List*',
        'kms:Get*',
        'kms:Encrypt',
        'kms:Decrypt',
        'kms:ReEncrypt*',
        'kms:CreateGrant',
      ],
      Resource: '*',
      Condition: { StringEquals: { 'aws:PrincipalOrgID': 'o-123example' } },
    }),
  },
  {
    name: 'audit logs',
    source: 'AWS CloudTrail User Guide, "Configure AWS KMS key policies for CloudTrail"',
    policy: withAdministration(
      {
        Sid: 'Allow CloudTrail to encrypt logs',
        Effect: 'Allow',
        Principal: { Service: ['cloudtrail.amazonaws.com'] },
        Action: 'kms:GenerateDataKey*',
        Resource: '*',
        Condition: {
          StringLike: { 'kms:EncryptionContext:aws:cloudtrail:arn': [`arn:aws:cloudtrail:*:${home}:trail/*`] },
          StringEquals: { 'aws:SourceArn': `arn:aws:cloudtrail:${region}:${home}:trail/management` },
        },
      },
      {
        Sid: 'Allow CloudTrail to describe key',
        Effect: 'Allow',
        Principal: { Service: 'cloudtrail.amazonaws.com' },
        Action: 'kms:DescribeKey',
        Resource: '*',
      },
      {
        Sid: 'Allow principals in the account to decrypt log files',
        Effect: 'Allow',
        Principal: { AWS: '*' },
        Action: ['kms:Decrypt', 'kms:ReEncryptFrom'],
        Resource: '*',
        Condition: {
          StringEquals: { 'kms:CallerAccount': home },
          StringLike: { 'kms:EncryptionContext:aws:cloudtrail:arn': `arn:aws:cloudtrail:*:${home}:trail/*` },
          Null: { 'kms:EncryptionContext:aws:cloudtrail:arn': 'false' },
        },
      },
      {
        Sid: 'Allow alias creation during setup',
        Effect: 'Allow',
        Principal: { AWS: '*' },
        Action: 'kms:CreateAlias',
        Resource: '*',
        Condition: { StringEquals: { 'kms:CallerAccount': home, 'kms:ViaService': `ec2.${region}.amazonaws.com` } },
      },
    ),
  },
  {
    name: 'the delivery of configuration history',
    source: 'AWS Config Developer Guide, "Permissions for the KMS Key for the AWS Config Delivery Channel"',
    policy: forService('config.amazonaws.com', {
      Sid: 'AWSConfigKMSPolicy',
      Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
      Condition: { StringEquals: { 'AWS:SourceAccount': home } },
    }),
  },
  {
    name: 'the service-linked role of scaling groups',
    source: 'Amazon EC2 Auto Scaling User Guide, "Required AWS KMS key policy for use with encrypted volumes"',
    policy: withAdministration(
      {
        Sid: 'Allow service-linked role use of the customer managed key',
        Effect: 'Allow',
        Principal: { AWS: [role('aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling')] },
        Action: use,
        Resource: '*',
      },
      {
        Sid: 'Allow attachment of persistent resources',
        Effect: 'Allow',
        Principal: { AWS: [role('aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling')] },
        Action: ['kms:CreateGrant'],
        Resource: '*',
        Condition: { Bool: { 'kms:GrantIsForAWSResource': true } },
      },
    ),
  },
  {
    name: 'encrypted node volumes of a cluster',
    source: 'Bottlerocket and Amazon EKS guides: volumes with a customer managed key',
    policy: withAdministration(
      {
        Sid: 'Allow nodes to use the key',
        Effect: 'Allow',
        Principal: {
          AWS: [role('node'), role('aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling')],
        },
        Action: [...use, 'kms:CreateGrant'],
        Resource: '*',
      },
      {
        Sid: 'Secrets',
        Effect: 'Allow',
        Principal: { AWS: role('cluster') },
        Action: ['kms:Encrypt', 'kms:Decrypt', 'kms:ListGrants', 'kms:DescribeKey'],
        Resource: ['*'],
      },
    ),
  },
  {
    name: 'the output of a module of Terraform',
    source: 'terraform-aws-modules/kms: main.tf, data "aws_iam_policy_document"',
    policy: {
      Version: '2012-10-17',
      Statement: [
        { Sid: 'Default', Effect: 'Allow', Principal: { AWS: root() }, Action: 'kms:*', Resource: '*' },
        { Sid: 'KeyOwner', Effect: 'Allow', Principal: { AWS: role('owner') }, Action: 'kms:*', Resource: '*' },
        {
          Sid: 'KeyServiceUser',
          Effect: 'Allow',
          Principal: { AWS: [role('two'), role('one')] },
          Action: ['kms:RevokeGrant', 'kms:ListGrants', 'kms:CreateGrant'],
          Resource: '*',
          Condition: { Bool: { 'kms:GrantIsForAWSResource': ['true'] } },
        },
        {
          Sid: 'KeyAsymmetricPublicEncryption',
          Effect: 'Allow',
          Principal: { AWS: role('public') },
          Action: ['kms:ReEncrypt*', 'kms:GetPublicKey', 'kms:Encrypt', 'kms:DescribeKey'],
          Resource: '*',
        },
        {
          Sid: 'Route53DnssecService',
          Effect: 'Allow',
          Principal: { Service: 'dnssec-route53.amazonaws.com' },
          Action: ['kms:Sign', 'kms:GetPublicKey', 'kms:DescribeKey'],
          Resource: '*',
        },
        {
          Sid: 'Route53DnssecGrant',
          Effect: 'Allow',
          Principal: { Service: 'dnssec-route53.amazonaws.com' },
          Action: 'kms:CreateGrant',
          Resource: '*',
          Condition: {
            Bool: { 'kms:GrantIsForAWSResource': 'true' },
            StringEquals: { 'aws:SourceAccount': [home] },
            ArnLike: { 'aws:SourceArn': ['arn:aws:route53:::hostedzone/*'] },
          },
        },
      ],
    },
  },
  {
    name: 'the output of the CDK',
    source: 'aws-cdk-lib, aws-kms Key: conditions on other services, a single statement',
    policy: {
      Statement: {
        Action: 'kms:*',
        Effect: 'Allow',
        Principal: { AWS: root() },
        Resource: '*',
      },
      Version: '2012-10-17',
    },
  },
  {
    name: 'an account by its number',
    source: 'IAM User Guide, "AWS JSON policy elements: Principal"',
    policy: withAdministration({
      Effect: 'Allow',
      Principal: { AWS: [home, foreign] },
      Action: ['kms:DescribeKey'],
      Resource: '*',
    }),
  },
  {
    name: 'an older policy without a version',
    source: 'IAM User Guide, "IAM JSON policy elements: Version"',
    policy: { Statement: [administration] },
  },
  {
    name: 'the version 2008-10-17',
    source: 'IAM User Guide, "IAM JSON policy elements: Version"',
    policy: { Version: '2008-10-17', Id: 'old', Statement: [administration] },
  },
  {
    name: 'a Deny for everybody else',
    source: 'KMS Developer Guide, "Best practices for IAM policies": Deny with StringNotLike on aws:PrincipalArn',
    policy: withAdministration({
      Sid: 'Only these roles decrypt',
      Effect: 'Deny',
      Principal: { AWS: '*' },
      Action: 'kms:Decrypt',
      Resource: '*',
      Condition: { StringNotLike: { 'aws:PrincipalArn': [role('Application'), role('aws-reserved/*')] } },
    }),
  },
  {
    name: 'NotPrincipal and NotAction with Deny',
    source: 'IAM User Guide, "AWS JSON policy elements: NotPrincipal"',
    policy: withAdministration({
      Effect: 'Deny',
      NotPrincipal: { AWS: [root(), user('administrator'), role('Application')] },
      NotAction: ['kms:DescribeKey', 'kms:PutKeyPolicy'],
      Resource: '*',
    }),
  },
  {
    name: 'a Deny without TLS, and outside of a network',
    source:
      'KMS Developer Guide, "AWS global condition keys"; IAM User Guide, "AWS: Denies access to AWS based on the source IP"',
    policy: withAdministration(
      {
        Effect: 'Deny',
        Principal: '*',
        Action: 'kms:Decrypt',
        Resource: '*',
        Condition: { Bool: { 'aws:SecureTransport': 'false' } },
      },
      {
        Effect: 'Deny',
        Principal: '*',
        Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
        Resource: '*',
        Condition: {
          NotIpAddress: { 'aws:SourceIp': ['192.0.2.0/24', '2001:db8::/32', '203.0.113.7'] },
          BoolIfExists: { 'aws:ViaAWSService': false },
          StringNotEqualsIfExists: { 'aws:SourceVpce': 'vpce-1234abcdf5678c90a' },
        },
      },
    ),
  },
  {
    name: 'the bypass of the lockout check denied',
    source: 'KMS Developer Guide, "AWS KMS condition keys": kms:BypassPolicyLockoutSafetyCheck',
    policy: withAdministration({
      Effect: 'Deny',
      Principal: { AWS: '*' },
      Action: 'kms:PutKeyPolicy',
      Resource: '*',
      Condition: { Bool: { 'kms:BypassPolicyLockoutSafetyCheck': true } },
    }),
  },
  {
    name: 'grants of limited operations',
    source:
      'KMS Developer Guide, "AWS KMS condition keys": kms:GrantOperations, kms:GranteePrincipal, kms:GrantConstraintType',
    policy: withAdministration({
      Effect: 'Allow',
      Principal: { AWS: role('Application') },
      Action: 'kms:CreateGrant',
      Resource: '*',
      Condition: {
        'ForAllValues:StringEquals': { 'kms:GrantOperations': ['Encrypt', 'Decrypt'] },
        StringEquals: { 'kms:GranteePrincipal': role('Worker'), 'kms:GrantConstraintType': 'EncryptionContextSubset' },
      },
    }),
  },
  {
    name: 'required keys of the encryption context',
    source: 'KMS Developer Guide, "AWS KMS condition keys": kms:EncryptionContextKeys',
    policy: withAdministration({
      Effect: 'Allow',
      Principal: { AWS: role('Application') },
      Action: ['kms:GenerateDataKey*', 'kms:Decrypt'],
      Resource: '*',
      Condition: {
        'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': ['AppName', 'Purpose'] },
        'ForAnyValue:StringEquals': { 'kms:EncryptionContextKeys': 'AppName' },
        Null: { 'kms:EncryptionContextKeys': false },
      },
    }),
  },
  {
    name: 'tags allowed by their keys',
    source: 'KMS Developer Guide, "Controlling access to tags"',
    policy: withAdministration({
      Effect: 'Allow',
      Principal: { AWS: role('Tagger') },
      Action: ['kms:TagResource', 'kms:UntagResource'],
      Resource: '*',
      Condition: {
        'ForAllValues:StringEquals': { 'aws:TagKeys': ['Project'] },
        StringEqualsIfExists: { 'aws:RequestTag/Project': 'Alpha' },
      },
    }),
  },
  {
    name: 'numbers and dates',
    source:
      'KMS Developer Guide, "AWS KMS condition keys": kms:ScheduleKeyDeletionPendingWindowInDays, kms:RotationPeriodInDays, kms:ValidTo',
    policy: withAdministration(
      {
        Effect: 'Deny',
        Principal: { AWS: '*' },
        Action: 'kms:ScheduleKeyDeletion',
        Resource: '*',
        Condition: { NumericLessThan: { 'kms:ScheduleKeyDeletionPendingWindowInDays': 21 } },
      },
      {
        Effect: 'Deny',
        Principal: { AWS: '*' },
        Action: 'kms:EnableKeyRotation',
        Resource: '*',
        Condition: { NumericGreaterThan: { 'kms:RotationPeriodInDays': '365' } },
      },
      {
        Effect: 'Allow',
        Principal: { AWS: role('Importer') },
        Action: 'kms:ImportKeyMaterial',
        Resource: '*',
        Condition: {
          StringEquals: { 'kms:ExpirationModel': 'KEY_MATERIAL_EXPIRES' },
          NumericLessThanEquals: { 'kms:ValidTo': 1_546_257_599 },
          DateGreaterThan: { 'aws:CurrentTime': '2026-01-01T00:00:00Z' },
          DateLessThan: { 'aws:CurrentTime': '2026-12-31T23:59:59+00:00', 'aws:EpochTime': 1_800_000_000 },
        },
      },
    ),
  },
  {
    name: 'sessions and federated users',
    source: 'IAM User Guide, "AWS JSON policy elements: Principal"',
    policy: withAdministration({
      Effect: 'Allow',
      Principal: {
        AWS: [
          `arn:aws:sts::${home}:assumed-role/Application/session@example.com`,
          `arn:aws:sts::${home}:federated-user/Somebody`,
        ],
      },
      Action: 'kms:Decrypt',
      Resource: '*',
    }),
  },
  {
    name: 'a key that several services use',
    source: 'KMS Developer Guide, "Permissions for AWS services in key policies"',
    policy: withAdministration({
      Effect: 'Allow',
      Principal: {
        AWS: role('Application'),
        Service: ['sns.amazonaws.com', 'sqs.amazonaws.com', 'states.eu-central-1.amazonaws.com'],
      },
      Action: ['kms:GenerateDataKey', 'kms:Decrypt', 'kms:CreateGrant'],
      Resource: '*',
      Condition: {
        StringEqualsIfExists: { 'aws:SourceOrgID': 'o-123example' },
        'ForAnyValue:StringLike': { 'aws:PrincipalOrgPaths': ['o-123example/r-ab12/ou-ab12-11111111/*'] },
      },
    }),
  },
  {
    name: 'policy variables',
    source: 'KMS Developer Guide, "AWS KMS condition keys": kms:EncryptionContext with ${aws:username}',
    policy: withAdministration({
      Effect: 'Allow',
      Principal: { AWS: root() },
      Action: ['kms:Encrypt', 'kms:Decrypt'],
      Resource: '*',
      Condition: {
        StringEquals: { 'kms:EncryptionContext:user': '${aws:username}' },
        StringLike: { 'kms:EncryptionContext:team': ["${aws:PrincipalTag/team, 'none'}", 'all-${*}'] },
      },
    }),
  },
  {
    name: 'condition keys that the gateway does not know',
    source: 'IAM User Guide, "AWS global condition context keys": AWS adds keys, and guides use them at once',
    policy: withAdministration({
      Effect: 'Allow',
      Principal: { AWS: role('Application') },
      Action: 'kms:Decrypt',
      Resource: '*',
      Condition: {
        StringEquals: { 'aws:SomethingNew': 'x', 'kms:SomethingNew': 'y', 'sts:ExternalId': 'z' },
        Bool: { 'aws:PrincipalIsAWSService': 'false' },
      },
    }),
  },
  {
    name: 'the ARN of the key as its resource',
    source:
      'KMS Developer Guide, "AWS KMS condition keys": kms:KeyOrigin, where a key policy has the resource arn:...:key/*',
    policy: withAdministration({
      Effect: 'Allow',
      Principal: { AWS: role('Application') },
      Action: ['kms:Decrypt', 'kms:CreateKey', 's3:GetObject', 'kms:NotYetInvented'],
      Resource: [`arn:aws:kms:${region}:${home}:key/*`],
      Condition: { StringEquals: { 'kms:KeyOrigin': 'AWS_KMS' } },
    }),
  },
  {
    name: 'nobody but its administrators',
    source: 'KMS Developer Guide, "Changing a key policy": a Deny of everything else',
    policy: {
      Version: '2012-10-17',
      Statement: [
        administration,
        {
          Sid: '',
          Effect: 'Deny',
          Principal: { AWS: '*' },
          NotAction: ['kms:Put*', 'kms:Get*', 'kms:Describe*'],
          Resource: '*',
          Condition: {},
        },
      ],
    },
  },
]
