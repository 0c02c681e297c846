import { Failure } from '../../errors.ts'
import type { WebIdentityCaller } from '../../model/identities/caller.ts'
import { tagValues } from '../../model/keys/tags.ts'
import type { TargetKind } from '../operation.ts'
import { type Input, operation } from './operation.ts'
import {
  type RoleTarget,
  requireRole,
  roleNamed,
  rolePermissions,
  sessionDuration,
  startSession,
} from './role-sessions.ts'
import { sessionTags, tagMap, tagsPassed } from './session-tags.ts'
import { claimedSession } from './web-identity-claims.ts'
import { webIdentityConditions } from './web-identity-condition-keys.ts'

const target: TargetKind<Input<'AssumeRoleWithWebIdentity'>, RoleTarget> = {
  find(input, { caller, storage }) {
    if (input.ProviderId !== undefined) {
      throw new Failure(
        'Validation',
        'ProviderId is for OAuth 2.0 access tokens, which are not supported by this gateway.',
      )
    }
    const named = roleNamed(input.RoleArn, caller.region, storage)
    const { tagging, sourceIdentity } = claimedSession(caller as WebIdentityCaller)
    const { tags, transitiveTagKeys } = sessionTags(tagging, caller)
    const actions = [
      'AssumeRoleWithWebIdentity',
      ...(tags.length > 0 ? ['TagSession'] : []),
      ...(sourceIdentity === undefined ? [] : ['SetSourceIdentity']),
    ]
    const denial = (action: string) => `Not authorized to perform sts:${action}`
    const conditions = webIdentityConditions(caller)
    return {
      role: named.role,
      permissions: rolePermissions(actions, named, denial).map(permission => ({
        ...permission,
        conditionKeys: name => conditions(name) ?? permission.conditionKeys?.(name),
      })),
      resources: [named.arn],
      requestParameters: {
        ...(sourceIdentity !== undefined && { sourceIdentity }),
        ...(tags.length > 0 && { principalTags: tagMap(tags) }),
        ...(transitiveTagKeys.length > 0 && { transitiveTagKeys }),
      },
      check() {
        sessionDuration(input.DurationSeconds, requireRole(named, 'AssumeRoleWithWebIdentity', denial), false)
      },
    }
  },
}

/** Without a signature: the token says who calls. */
export const assumeRoleWithWebIdentity = operation('AssumeRoleWithWebIdentity')({
  target,
  async identify({ RoleArn, WebIdentityToken }, { webIdentity }) {
    const [, partition, account] = /^arn:([\w-]+):iam::(\d{12}):role\//.exec(RoleArn) ?? []
    if (partition === undefined) throw new Failure('Validation', 'Request ARN is invalid')
    return webIdentity(WebIdentityToken, { partition, account: account! })
  },
  conditionKeys: {
    'aws:RequestTag/': ({ caller }, tagKey) => tagValues(tagsOf(caller as WebIdentityCaller), tagKey),
    'aws:TagKeys': ({ caller }) => tagsOf(caller as WebIdentityCaller)?.map(({ TagKey }) => TagKey),
    'sts:RoleSessionName': ({ input }) => input.RoleSessionName,
    'sts:SourceIdentity': ({ caller }) => claimedSession(caller as WebIdentityCaller).sourceIdentity,
    'sts:TransitiveTagKeys': ({ caller }) => claimedSession(caller as WebIdentityCaller).tagging.TransitiveTagKeys,
  },
  recorded: ['RoleArn', 'RoleSessionName', 'DurationSeconds', 'Policy', 'PolicyArns'],
  recordedOutput: [
    'Credentials',
    'AssumedRoleUser',
    'SubjectFromWebIdentityToken',
    'Provider',
    'Audience',
    'PackedPolicySize',
    'SourceIdentity',
  ],
  async run({ input, target: { role }, caller, ...services }) {
    const { provider, subject, audience, region } = caller as WebIdentityCaller
    const { tagging, sourceIdentity } = claimedSession(caller as WebIdentityCaller)
    const { tags, transitiveTagKeys } = sessionTags(tagging, caller)
    const session = {
      federation: { provider, subject, audience },
      ...(tags.length > 0 && { tags }),
      ...(transitiveTagKeys.length > 0 && { transitiveTagKeys }),
      ...(sourceIdentity !== undefined && { sourceIdentity }),
    }
    const seconds = sessionDuration(input.DurationSeconds, role!, false)
    const started = await startSession(role!, input, session, { seconds, region }, services)
    return {
      ...started,
      SubjectFromWebIdentityToken: subject,
      Provider: provider,
      Audience: audience,
      SourceIdentity: sourceIdentity,
    }
  },
})

function tagsOf(caller: WebIdentityCaller) {
  return tagsPassed(claimedSession(caller).tagging)
}
