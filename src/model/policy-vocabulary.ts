import type { DocumentedConditionKey } from './condition-keys.ts'

/** What policies can say about an API. Names of actions are without its prefix. */
export interface PolicyVocabulary {
  /** Prefix of its actions and condition keys; ends with a colon. */
  readonly prefix: string
  /** What the policies of its resources are: `resource` those of KMS keys, `trust` those of roles. Absent if they have none. */
  readonly policyKind?: 'resource' | 'trust'
  readonly actions: readonly string[]
  /** Those on a resource with a policy of its own. */
  readonly resourceActions: readonly string[]
  /** The one of these that changes the policy; absent if another API does. */
  readonly policyAction?: string
  /** Those on aliases, which have no policy. */
  readonly aliasActions: readonly string[]
  readonly conditionKeys: readonly DocumentedConditionKey[]
  /** Those of its own condition keys that say who calls. */
  readonly callerKeys: readonly string[]
  /** By condition key: all values that a request can have for it. */
  readonly possibleValues: Readonly<Record<string, readonly string[]>>
  /** By condition key: the actions whose requests cannot be without it. */
  readonly requiredKeys: Readonly<Record<string, readonly string[]>>
}
