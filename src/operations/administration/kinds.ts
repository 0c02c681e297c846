/** The kinds of identities: how each is stored, and how it is written. */
import { Failure } from '../../errors.ts'
import { principalArn } from '../../model/arn.ts'
import type { Group } from '../../model/identities/group.ts'
import { checkOidcProvider, type OidcProvider, oidcProviderArn } from '../../model/identities/oidc-provider.ts'
import type { AttachedPolicies, ManagedPolicy, Owner } from '../../model/identities/policy.ts'
import { policyDocument } from '../../model/identities/policy-meaning.ts'
import type { Principal, Role, User } from '../../model/identities/principal.ts'
import { shownPolicy } from '../../model/keys/policy-principals.ts'
import type { Storage } from '../../services.ts'
import { newUniqueId } from '../../vault/identifiers.ts'
import type { Entry, IdentityKind } from './identity-schema.ts'
import { checkShape } from './operation.ts'

/** The record of each kind. */
export interface IdentityRecords {
  readonly policy: ManagedPolicy
  readonly group: Group
  readonly user: User
  readonly role: Role
  readonly oidcProvider: OidcProvider
}

const nouns = {
  policy: 'managedPolicies',
  group: 'groups',
  user: 'principals',
  role: 'principals',
  oidcProvider: 'oidcProviders',
} as const
export type IdentityNoun = (typeof nouns)[IdentityKind]

/** What a record is made of. */
export interface Draft<K extends IdentityKind> {
  readonly account: string
  readonly name: string
  readonly entry: Entry<K>
  readonly existing: IdentityRecords[K] | undefined
  readonly owner: Owner | undefined
  /** Milliseconds since the epoch. */
  readonly now: number
}

export interface Kind<K extends IdentityKind> {
  readonly noun: (typeof nouns)[K]
  find(account: string, name: string, storage: Storage): IdentityRecords[K] | undefined
  all(account: string, storage: Storage): readonly IdentityRecords[K][]
  record(draft: Draft<K>): IdentityRecords[K]
  /** The inverse, with every member that is not empty. */
  entry(record: IdentityRecords[K], storage: Storage): Entry<K>
}

export const kinds: { readonly [K in IdentityKind]: Kind<K> } = {
  policy: {
    noun: nouns.policy,
    find: (account, name, { managedPolicies }) => managedPolicies.named(account, name),
    all: (account, { managedPolicies }) => managedPolicies.ofAccount(account),
    record: draft => ({
      ...common(draft, 'policy'),
      policyId: draft.existing?.policyId ?? newUniqueId('ANPA'),
      description: draft.entry.description,
      document: documentText(draft.entry.document),
    }),
    entry: policy => ({
      ...pathEntry(policy),
      ...given({ description: policy.description }),
      document: policyDocument(policy.document),
    }),
  },
  group: {
    noun: nouns.group,
    find: (account, name, { groups }) => groups.named(account, name),
    all: (account, { groups }) => groups.ofAccount(account),
    record: draft => ({
      ...common(draft, 'group'),
      ...attachedRecord(draft),
      groupId: draft.existing?.groupId ?? newUniqueId('AGPA'),
    }),
    entry: group => ({ ...pathEntry(group), ...attachedEntry(group) }),
  },
  user: {
    noun: nouns.user,
    find: (account, name, { principals }) => principals.holding(account, 'user', name) as User | undefined,
    all: (account, { principals }) => principals.ofAccount(account).filter(({ type }) => type === 'user') as User[],
    record: draft => ({
      ...common(draft, 'user'),
      ...principalRecord(draft, 'AIDA'),
      type: 'user',
      groups: draft.entry.groups ?? [],
    }),
    entry: user => ({ ...principalEntry(user), ...listed('groups', user.groups) }),
  },
  role: {
    noun: nouns.role,
    find: (account, name, { principals }) => principals.holding(account, 'role', name) as Role | undefined,
    all: (account, { principals }) => principals.ofAccount(account).filter(({ type }) => type === 'role') as Role[],
    record: draft => ({
      ...common(draft, 'role'),
      ...principalRecord(draft, 'AROA'),
      type: 'role',
      description: draft.entry.description,
      trustPolicy: documentText(draft.entry.trustPolicy),
      maxSessionDuration: draft.entry.maxSessionDuration / 1000,
    }),
    entry: (role, { principals }) => ({
      ...principalEntry(role),
      ...given({ description: role.description }),
      trustPolicy: policyDocument(shownPolicy(role.trustPolicy, role.trustPrincipals, 'aws', principals)),
      maxSessionDuration: role.maxSessionDuration * 1000,
    }),
  },
  oidcProvider: {
    noun: nouns.oidcProvider,
    find: (account, url, { oidcProviders }) => oidcProviders.find(oidcProviderArn('aws', account, url)),
    all: (account, { oidcProviders }) => oidcProviders.ofAccount(account),
    record({ account, name: url, entry, existing, owner, now }) {
      checkOidcProvider({ ...entry, url })
      const arn = oidcProviderArn('aws', account, url)
      const { createdAt = now, revision = 0 } = existing ?? {}
      return { arn, account, url, ...entry, createdAt, owner, revision }
    },
    entry: ({ audiences, jwksUrl, jwksFile, caFile }) => ({
      audiences: [...audiences],
      ...given({ jwksUrl, jwksFile, caFile }),
    }),
  },
}

/** What it is called where it is written. */
export function nameOf(record: IdentityRecords[IdentityKind]): string {
  return 'url' in record ? record.url : record.name
}

/** The order in which a diff and a file have them: what is referred to comes first. */
export const kindNames: readonly IdentityKind[] = ['policy', 'group', 'user', 'role', 'oidcProvider']

function common(draft: Draft<Exclude<IdentityKind, 'oidcProvider'>>, type: string) {
  const { account, name, entry, existing, owner, now } = draft
  const { path = '/' } = entry
  return {
    arn: existing?.arn ?? principalArn('aws', account, `${type}${path}${name}`),
    account,
    name: existing?.name ?? name,
    createdAt: existing ? existing.createdAt! : now,
    owner,
    revision: existing?.revision ?? 0,
  }
}

function principalRecord(draft: Draft<'user'> | Draft<'role'>, prefix: 'AIDA' | 'AROA') {
  const { entry, existing } = draft
  return {
    ...attachedRecord(draft),
    principalId: existing?.principalId ?? newUniqueId(prefix),
    permissionsBoundary: policyArn(draft.account, entry.permissionsBoundary),
    tags: Object.entries(entry.tags ?? {}).map(([TagKey, TagValue]) => ({ TagKey, TagValue })),
    sessionsRevokedBefore: existing?.sessionsRevokedBefore,
  }
}

function attachedRecord({ account, entry }: Draft<'user'> | Draft<'role'> | Draft<'group'>): AttachedPolicies {
  const inline = Object.entries(entry.inlinePolicies ?? {})
  return {
    inlinePolicies: inline.map(([name, document]) => ({ name, document: documentText(document) })),
    managedPolicies: (entry.policies ?? []).map(name => policyArn(account, name)!),
  }
}

function principalEntry(principal: Principal) {
  const { permissionsBoundary, tags, account } = principal
  return {
    ...pathEntry(principal),
    ...attachedEntry(principal),
    ...given({ permissionsBoundary: permissionsBoundary && shortName(account, permissionsBoundary) }),
    ...(tags.length > 0 && { tags: Object.fromEntries(tags.map(({ TagKey, TagValue }) => [TagKey, TagValue])) }),
  }
}

function attachedEntry({ account, inlinePolicies, managedPolicies }: AttachedPolicies & { readonly account: string }) {
  const inline = inlinePolicies.map(({ name, document }) => [name, policyDocument(document)] as const)
  return {
    ...listed(
      'policies',
      managedPolicies.map(arn => shortName(account, arn)),
    ),
    ...(inline.length > 0 && { inlinePolicies: Object.fromEntries(inline) }),
  }
}

/** A managed policy may be written by its name alone, if it is of the same account and has no path. */
function policyArn(account: string, name: string | undefined): string | undefined {
  return name === undefined || name.startsWith('arn:') ? name : principalArn('aws', account, `policy/${name}`)
}

function shortName(account: string, arn: string): string {
  const prefix = principalArn('aws', account, 'policy/')
  const name = arn.startsWith(prefix) ? arn.slice(prefix.length) : arn
  return name.includes('/') ? arn : name
}

/** With its slashes; `/` if it has none. */
export function pathOf({ arn, name }: { readonly arn: string; readonly name: string }): string {
  return arn.slice(arn.indexOf('/'), arn.length - name.length)
}

function pathEntry(record: { readonly arn: string; readonly name: string }): { readonly path?: string } {
  const path = pathOf(record)
  return path === '/' ? {} : { path }
}

/** Throws MalformedPolicyDocument for text that is no JSON object, Validation for one that is nested deeply. */
function documentText(document: string | object): string {
  if (typeof document !== 'string') return JSON.stringify(document)
  let value: unknown
  try {
    value = JSON.parse(document)
  } catch (thrown) {
    throw new Failure('MalformedPolicyDocument', 'the policy is not JSON', { cause: thrown })
  }
  checkShape(value)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return document
  throw new Failure('MalformedPolicyDocument', 'the policy is not a JSON object')
}

function listed<K extends string>(name: K, values: readonly string[]): { [N in K]?: string[] } {
  return (values.length > 0 ? { [name]: [...values] } : {}) as { [N in K]?: string[] }
}

function given<T extends object>(members: T): Partial<T> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Partial<T>
}
