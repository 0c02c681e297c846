import { Failure } from '../../errors.ts'
import type { Caller } from '../../model/identities/caller.ts'
import { tagValues } from '../../model/keys/tags.ts'
import type { TargetKind } from '../operation.ts'
import { type Input, isUserSession, operation, refuseMfa } from './operation.ts'
import {
  type RoleTarget,
  requireRole,
  roleNamed,
  rolePermissions,
  sessionDuration,
  startSession,
} from './role-sessions.ts'
import { type SessionTags, sessionTags, sourceIdentity, tagMap, tagsPassed } from './session-tags.ts'

export interface Assumption extends RoleTarget {
  readonly tags: SessionTags
  readonly sourceIdentity: string | undefined
}

const target: TargetKind<Input<'AssumeRole'>, Assumption> = {
  find(input, { caller, storage }) {
    refuseMfa(input)
    if (input.ProvidedContexts) {
      throw new Failure('UnsupportedOperation', 'ProvidedContexts is not supported by this gateway.')
    }
    const tags = sessionTags(input, caller)
    const identity = sourceIdentity(input, caller)
    const named = roleNamed(input.RoleArn, caller.region, storage)
    const { arn, role } = named
    const actions = [
      'AssumeRole',
      ...(tags.tags.length > 0 ? ['TagSession'] : []),
      ...(identity === undefined ? [] : ['SetSourceIdentity']),
    ]
    const denial = (action: string) =>
      `User: ${caller.arn} is not authorized to perform: sts:${action} on resource: ${arn}`
    return {
      role,
      tags,
      sourceIdentity: identity,
      permissions: rolePermissions(actions, named, denial),
      resources: [arn],
      requestParameters: {
        ...(identity !== undefined && { sourceIdentity: identity }),
        ...(tags.inherited.length > 0 && { incomingTransitiveTags: tagMap(tags.inherited) }),
      },
      check() {
        sessionDuration(input.DurationSeconds, requireRole(named, 'AssumeRole', denial), isTemporary(caller))
      },
    }
  },
}

export const assumeRole = operation('AssumeRole')({
  target,
  conditionKeys: {
    'aws:RequestTag/': ({ input }, tagKey) => tagValues(tagsPassed(input), tagKey),
    'aws:TagKeys': ({ input }) => input.Tags?.map(({ Key }) => Key!),
    'sts:ExternalId': ({ input }) => input.ExternalId,
    'sts:RoleSessionName': ({ input }) => input.RoleSessionName,
    'sts:SourceIdentity': ({ input }) => input.SourceIdentity,
    'sts:TransitiveTagKeys': ({ input }) => input.TransitiveTagKeys,
  },
  recorded: [
    'RoleArn',
    'RoleSessionName',
    'DurationSeconds',
    'ExternalId',
    'Policy',
    'PolicyArns',
    'SourceIdentity',
    'Tags',
    'TransitiveTagKeys',
  ],
  recordedOutput: ['Credentials', 'AssumedRoleUser', 'PackedPolicySize', 'SourceIdentity'],
  async run({ input, target: { role, tags, sourceIdentity }, caller, ...services }) {
    const session = {
      ...(tags.tags.length > 0 && { tags: tags.tags }),
      ...(tags.transitiveTagKeys.length > 0 && { transitiveTagKeys: tags.transitiveTagKeys }),
      ...(sourceIdentity !== undefined && { sourceIdentity }),
      ...(caller.type === 'assumedRole' && { chained: true }),
    }
    const seconds = sessionDuration(input.DurationSeconds, role!, isTemporary(caller))
    const started = await startSession(role!, input, session, { seconds, region: caller.region }, services)
    return { ...started, SourceIdentity: sourceIdentity }
  },
})

/** Recorded on AWS: the limit of role chaining is that of a user's temporary credentials, too. */
function isTemporary(caller: Caller): boolean {
  return caller.type === 'assumedRole' || isUserSession(caller)
}
