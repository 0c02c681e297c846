/** The attributes by which events are found: CloudTrail API Reference, "LookupAttribute". */
import type { AuditRecord } from '../entry.ts'

/** Its value, or values, in a record; none if the record has no such member. */
type ValuesOf = (record: AuditRecord) => string | readonly string[] | undefined

/** Those whose values the index has. */
const indexed = {
  /** Not in LookupAttribute: every record has it. */
  EventCategory: ({ eventCategory }) => eventCategory,
  EventName: ({ eventName }) => eventName,
  EventSource: ({ eventSource }) => eventSource,
  ReadOnly: ({ readOnly }) => (readOnly === undefined ? undefined : String(readOnly)),
  Username: record => userNameOf(record),
  AccessKeyId: record => accessKeyOf(record),
  ResourceType: ({ resources = [] }) => resources.flatMap(({ type = [] }) => type),
  ResourceName: ({ resources = [] }) => resources.map(({ ARN }) => ARN),
} as const satisfies Readonly<Record<string, ValuesOf>>

export type IndexedAttribute = keyof typeof indexed

export const indexedAttributes = Object.entries(indexed) as unknown as readonly (readonly [
  IndexedAttribute,
  ValuesOf,
])[]

const attributes = { ...indexed, EventId: ({ eventID }) => eventID } as const satisfies Readonly<
  Record<string, ValuesOf>
>

export type AttributeKey = keyof typeof attributes

export function hasAttribute(record: AuditRecord, key: AttributeKey, value: string): boolean {
  const values = (attributes[key] as ValuesOf)(record)
  return typeof values === 'string' ? values === value : (values?.includes(value) ?? false)
}

/** The name of the user, or of the session of a role. */
export function userNameOf({ userIdentity }: AuditRecord): string | undefined {
  const { type, userName, arn } = (userIdentity ?? {}) as Readonly<Record<string, string | undefined>>
  return type === 'AssumedRole' ? arn?.slice(arn.lastIndexOf('/') + 1) : userName
}

export function accessKeyOf({ userIdentity }: AuditRecord): string | undefined {
  return userIdentity?.accessKeyId as string | undefined
}

/** Who sees an event: an account, in a region. Events of the gateway itself have neither. */
export interface Scope {
  /** 12 digits. */
  readonly account: string
  readonly region: string
}

export function scopeOf({ recipientAccountId = '', awsRegion = '' }: AuditRecord): Scope {
  return { account: recipientAccountId, region: awsRegion }
}
