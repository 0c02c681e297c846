import { Failure } from '../../errors.ts'
import type { PolicyVocabulary } from '../../model/policy-vocabulary.ts'
import type { PolicySubject } from '../operation.ts'
import { conditionKeys, roleActions } from './condition-keys.ts'
import { roleNamed, rolePermissions } from './role-sessions.ts'

/** Service Authorization Reference, "Actions, resources, and condition keys for AWS Security Token Service". */
const vocabulary: PolicyVocabulary = {
  prefix: 'sts:',
  policyKind: 'trust',
  actions: [
    ...roleActions,
    'AssumeRoot',
    'DecodeAuthorizationMessage',
    'GetAccessKeyInfo',
    'GetCallerIdentity',
    'GetDelegatedAccessToken',
    'GetFederationToken',
    'GetServiceBearerToken',
    'GetSessionToken',
    'GetWebIdentityToken',
  ],
  resourceActions: roleActions,
  aliasActions: [],
  conditionKeys,
  callerKeys: [],
  possibleValues: {},
  requiredKeys: { 'sts:RoleSessionName': ['AssumeRole', 'AssumeRoleWithWebIdentity'], 'aws:TagKeys': ['TagSession'] },
}

/** STS API Reference: neither needs a permission, and no policy prevents them. */
const unconditional = ['GetCallerIdentity', 'GetSessionToken']

export const policySubject: PolicySubject = {
  vocabulary,

  permission(action, resource, _given, { caller, storage }) {
    if (unconditional.includes(action)) throw new Failure('Validation', 'it needs no permission.')
    if (!roleActions.includes(action)) return { action, resource: '*', account: caller.account }
    const named = roleNamed(resource, caller.region, storage)
    if (!named.role) throw new Failure('Validation', 'there is no such role.')
    const denial = (name: string) =>
      `User: ${caller.arn} is not authorized to perform: sts:${name} on resource: ${resource}`
    return rolePermissions([action], named, denial)[0]!
  },
}
