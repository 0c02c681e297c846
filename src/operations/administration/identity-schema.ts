/** Identities as the operator writes them, in the file of `strongroom identity apply` and in the options of its commands. */
import { z } from 'zod'
import { duration } from '../../quantities.ts'
import { accountId } from './operation.ts'

/** IAM API Reference: names of users and roles have up to 64 characters, of groups and policies up to 128. */
function nameOf(maximum: number) {
  return z
    .string()
    .regex(
      new RegExp(`^[\\w+=,.@-]{1,${maximum}}$`),
      `not a name: use 1 to ${maximum} letters, digits and characters of _+=,.@-`,
    )
}

const path = z
  .string()
  .max(512)
  .regex(/^\/(?:[!-.0-~]+\/)*$/, 'not a path: it begins and ends with a slash')

/** A policy document, as an object or as JSON text. */
const document = z.custom<string | Readonly<Record<string, unknown>>>(
  value => typeof value === 'string' || (typeof value === 'object' && value !== null && !Array.isArray(value)),
  'not a policy document: write it as a mapping, or as JSON text',
)

const description = z.string().max(1000)
const inlinePolicies = z.record(nameOf(128), document)
const tags = z
  .record(
    z
      .string()
      .min(1)
      .max(128)
      .regex(/^[\p{L}\p{Z}\p{N}_.:/=+\-@]+$/u, 'not a tag key')
      .regex(/^(?!aws:)/i, 'tag keys that begin with aws: are reserved'),
    z
      .string()
      .max(256)
      .regex(/^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u, 'not a tag value'),
  )
  .refine(given => Object.keys(given).length <= 50, 'a user or role has at most 50 tags')

/** Managed policies by name, of the same account, or by ARN. */
const policies = z.array(z.string().min(1)).max(20, 'at most 20 managed policies can be attached')

const attached = { path: path.optional(), policies: policies.optional(), inlinePolicies: inlinePolicies.optional() }
const ofPrincipals = { ...attached, permissionsBoundary: z.string().min(1).optional(), tags: tags.optional() }

/** By kind: what there is to say about one, besides its name. */
export const entrySchemas = {
  policy: z.strictObject({ path: path.optional(), description: description.optional(), document }),
  group: z.strictObject(attached),
  user: z.strictObject({
    ...ofPrincipals,
    groups: z.array(nameOf(128)).max(10, 'a user is in at most 10 groups').optional(),
  }),
  role: z.strictObject({
    ...ofPrincipals,
    description: description.optional(),
    trustPolicy: document,
    maxSessionDuration: duration('1h', '12h').prefault('1h'),
  }),
  oidcProvider: z.strictObject({
    audiences: z.array(z.string()),
    jwksUrl: z.string().optional(),
    jwksFile: z.string().optional(),
    caFile: z.string().optional(),
  }),
}

export type IdentityKind = keyof typeof entrySchemas
/** As validated: durations in milliseconds. */
export type Entry<K extends IdentityKind = IdentityKind> = z.infer<(typeof entrySchemas)[K]>

export const nameSchemas: { readonly [K in IdentityKind]: z.ZodType<string> } = {
  policy: nameOf(128),
  group: nameOf(128),
  user: nameOf(64),
  role: nameOf(64),
  // A URL: see checkOidcProvider.
  oidcProvider: z.string(),
}

const accountSchema = z.strictObject({
  name: z.string().min(1).max(50).optional(),
  policies: z.record(nameSchemas.policy, entrySchemas.policy).optional(),
  groups: z.record(nameSchemas.group, entrySchemas.group).optional(),
  users: z.record(nameSchemas.user, entrySchemas.user).optional(),
  roles: z.record(nameSchemas.role, entrySchemas.role).optional(),
  oidcProviders: z.record(nameSchemas.oidcProvider, entrySchemas.oidcProvider).optional(),
})

/** Member of an account that holds the entries of a kind. */
export const members = {
  policy: 'policies',
  group: 'groups',
  user: 'users',
  role: 'roles',
  oidcProvider: 'oidcProviders',
} as const satisfies Record<IdentityKind, string>

export const fileSchema = z.strictObject({ accounts: z.record(accountId, accountSchema) })
export type IdentityFile = z.infer<typeof fileSchema>
/** As written: durations as text. */
export type WrittenIdentityFile = z.input<typeof fileSchema>
