import { type DocumentedConditionKey, documentedConditionKey as row } from '../../model/condition-keys.ts'

/**
 * Every condition key of AWS STS: IAM User Guide, "Available keys for AWS STS"; Service Authorization Reference, "Actions, resources, and
 * condition keys for AWS Security Token Service". Operations declare what they contribute; a test compares both.
 */

/** Permissions that other operations imply: one that passes tags or a source identity needs these as well. */
const implied = ['SetSourceIdentity', 'TagSession']
/** Actions on a role, which its trust policy decides. */
export const roleActions: readonly string[] = [
  'AssumeRole',
  'AssumeRoleWithSAML',
  'AssumeRoleWithWebIdentity',
  ...implied,
  'SetContext',
]
const assuming = ['AssumeRole', 'AssumeRoleWithSAML', 'AssumeRoleWithWebIdentity', ...implied]
const tagging = [...assuming, 'GetFederationToken']

const noBearerTokens = 'this gateway issues no bearer tokens'
const noContexts = 'the ProvidedContexts parameter is not supported'
const noIdentityTokens = 'this gateway issues no identity tokens'
const noRootSessions = 'there are no root users'

// biome-ignore format: a table
export const conditionKeys: readonly DocumentedConditionKey[] = [
  row('aws:RequestTag/',            'String',        tagging),
  row('aws:ResourceTag/',           'String',        roleActions),
  row('aws:TagKeys',                'ArrayOfString', tagging),
  row('iam:ResourceTag/',           'String',        roleActions),
  row('sts:AWSServiceName',         'String',        ['GetServiceBearerToken'], noBearerTokens),
  row('sts:DurationSeconds',        'Numeric',       ['GetServiceBearerToken', 'GetWebIdentityToken'], noBearerTokens),
  row('sts:ExternalId',             'String',        ['AssumeRole', ...implied]),
  row('sts:IdentityTokenAudience',  'ArrayOfString', ['GetWebIdentityToken'], noIdentityTokens),
  row('sts:RequestContext/',        'String',        ['SetContext'], noContexts),
  row('sts:RequestContextProviders', 'ArrayOfString', ['SetContext'], noContexts),
  row('sts:RoleSessionName',        'String',        assuming),
  row('sts:SigningAlgorithm',       'String',        ['GetWebIdentityToken'], noIdentityTokens),
  row('sts:SourceIdentity',         'String',        assuming),
  row('sts:TaskPolicyArn',          'ARN',           ['AssumeRoot'], noRootSessions),
  row('sts:TransitiveTagKeys',      'ArrayOfString', assuming),
]
