/** The options of `strongroom identity KIND create` and `update`. */

export type Kind = 'user' | 'role' | 'group' | 'policy' | 'oidcProvider'

/** An option that sets one member, or adds to one. */
export interface Member {
  readonly flags: string
  readonly description: string
  /** Of the entry: see operations/administration/identity-schema.ts. */
  readonly member: string
  /** A list of values, a mapping of NAME=VALUE, or one value. */
  readonly holds: 'values' | 'pairs' | 'value'
  /** Whether the value, or each, is a file with a policy document. */
  readonly isFile?: boolean
  readonly mandatory?: boolean
}

const path: Member = {
  flags: '--path <path>',
  description: 'path in its ARN (default: /)',
  member: 'path',
  holds: 'value',
}
const description: Member = {
  flags: '--description <text>',
  description: 'for people',
  member: 'description',
  holds: 'value',
}
const attached: readonly Member[] = [
  path,
  {
    flags: '--policy <policy>',
    description: 'managed policy, by name or ARN; may be repeated',
    member: 'policies',
    holds: 'values',
  },
  {
    flags: '--inline-policy <name=file>',
    description: 'inline policy from a JSON file; may be repeated',
    member: 'inlinePolicies',
    holds: 'pairs',
    isFile: true,
  },
]
const ofPrincipals: readonly Member[] = [
  ...attached,
  {
    flags: '--permissions-boundary <policy>',
    description: 'managed policy that limits the others, by name or ARN',
    member: 'permissionsBoundary',
    holds: 'value',
  },
  { flags: '--tag <key=value>', description: 'tag; may be repeated', member: 'tags', holds: 'pairs' },
]

/** What can be said of each kind. */
export const kinds: Readonly<
  Record<Kind, { readonly command: string; readonly what: string; readonly members: readonly Member[] }>
> = {
  user: {
    command: 'user',
    what: 'users',
    members: [
      ...ofPrincipals,
      { flags: '--group <name>', description: 'group of the user; may be repeated', member: 'groups', holds: 'values' },
    ],
  },
  role: {
    command: 'role',
    what: 'roles',
    members: [
      {
        flags: '--trust-policy <file>',
        description: 'who may assume the role: a JSON file',
        member: 'trustPolicy',
        holds: 'value',
        isFile: true,
        mandatory: true,
      },
      ...ofPrincipals,
      description,
      {
        flags: '--max-session-duration <duration>',
        description: 'longest session, 1h to 12h (default: 1h)',
        member: 'maxSessionDuration',
        holds: 'value',
      },
    ],
  },
  group: { command: 'group', what: 'groups of users, which have its policies', members: attached },
  policy: {
    command: 'policy',
    what: 'managed policies',
    members: [
      {
        flags: '--document <file>',
        description: 'the policy: a JSON file',
        member: 'document',
        holds: 'value',
        isFile: true,
        mandatory: true,
      },
      path,
      description,
    ],
  },
  oidcProvider: {
    command: 'oidc-provider',
    what: 'OIDC providers, whose tokens let their bearers assume roles; their name is their URL',
    members: [
      {
        flags: '--audience <audience>',
        description: 'accepted audience (client ID); may be repeated',
        member: 'audiences',
        holds: 'values',
        mandatory: true,
      },
      {
        flags: '--jwks-url <url>',
        description: 'where its keys are (default: what its discovery document says)',
        member: 'jwksUrl',
        holds: 'value',
      },
      {
        flags: '--jwks-file <file>',
        description: 'file with its keys, an absolute path',
        member: 'jwksFile',
        holds: 'value',
      },
      {
        flags: '--ca-file <file>',
        description: 'PEM certificates that its server is trusted by, an absolute path',
        member: 'caFile',
        holds: 'value',
      },
    ],
  },
}
