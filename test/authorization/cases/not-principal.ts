import type { Statement } from '../naive-text.ts'
import {
  alice,
  allowKms,
  bob,
  type Case,
  dave,
  decrypt,
  foreignRole,
  foreignRoot,
  foreignSession,
  key,
  policy,
  role,
  root,
  session,
} from './case.ts'

const notPrincipal = 'IAM User Guide, AWS JSON policy elements: NotPrincipal'
const withDeny = `${notPrincipal}, Specifying NotPrincipal with Deny`
const bySession = { principal: session, action: 'kms:Decrypt', resource: key }
const fromAudit = { principal: foreignSession, action: 'kms:Decrypt', resource: key }

function allowing(principal: string, deny: Pick<Statement, 'NotPrincipal'>) {
  return policy(
    { Effect: 'Allow', Principal: { AWS: principal }, Action: 'kms:*', Resource: '*' },
    { Effect: 'Deny', ...deny, Action: 'kms:*', Resource: '*' },
  )
}

/** Whom a NotPrincipal element spares. */
export const notPrincipals: readonly Case[] = [
  {
    title: 'NotPrincipal with Deny spares a user who is listed with the account',
    source: withDeny,
    request: decrypt(),
    resourcePolicy: allowing(alice, { NotPrincipal: { AWS: [alice, root] } }),
    decision: 'Allow',
  },
  {
    title: 'NotPrincipal with Deny denies a user whose account is not listed',
    source: withDeny,
    request: decrypt(),
    resourcePolicy: allowing(alice, { NotPrincipal: { AWS: alice } }),
    decision: 'ExplicitDeny',
  },
  {
    title: 'NotPrincipal with Deny denies a user who is not listed, though the account is',
    source: withDeny,
    request: decrypt(),
    resourcePolicy: allowing(alice, { NotPrincipal: { AWS: [bob, root] } }),
    decision: 'ExplicitDeny',
  },
  {
    title: 'NotPrincipal with Deny spares a session that is listed with its role and account',
    source: withDeny,
    request: bySession,
    resourcePolicy: allowing(role, { NotPrincipal: { AWS: [session, role, root] } }),
    decision: 'Allow',
  },
  {
    title: 'NotPrincipal with Deny denies a session whose role is not listed',
    source: withDeny,
    request: bySession,
    resourcePolicy: allowing(session, { NotPrincipal: { AWS: [session, root] } }),
    decision: 'ExplicitDeny',
  },
  {
    title: 'NotPrincipal with Deny denies a session that is not listed itself',
    source: withDeny,
    request: bySession,
    resourcePolicy: allowing(role, { NotPrincipal: { AWS: [role, root] } }),
    decision: 'ExplicitDeny',
  },
  {
    title: 'NotPrincipal with Deny spares the session of another account that is listed with its role and account',
    source: withDeny,
    request: fromAudit,
    resourcePolicy: allowing(foreignRole, { NotPrincipal: { AWS: [foreignSession, foreignRole, foreignRoot] } }),
    identityPolicies: [allowKms],
    decision: 'Allow',
  },
  {
    title: 'NotPrincipal with Deny denies the session of another account that is not listed',
    source: withDeny,
    request: fromAudit,
    resourcePolicy: allowing(foreignRole, { NotPrincipal: { AWS: [foreignSession, foreignRole] } }),
    identityPolicies: [allowKms],
    decision: 'ExplicitDeny',
  },
  {
    title: 'NotPrincipal with Deny denies the users of other accounts',
    source: withDeny,
    request: { principal: dave, action: 'kms:Decrypt', resource: key },
    resourcePolicy: allowing(dave, { NotPrincipal: { AWS: [alice, root] } }),
    identityPolicies: [allowKms],
    decision: 'ExplicitDeny',
  },
  {
    title: 'NotPrincipal with Deny allows nothing to the one it spares',
    source: withDeny,
    request: decrypt(),
    resourcePolicy: policy({ Effect: 'Deny', NotPrincipal: { AWS: [alice, root] }, Action: 'kms:*', Resource: '*' }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'NotPrincipal with Deny spares the root user of a listed account',
    source: withDeny,
    request: { principal: root, action: 'kms:Decrypt', resource: key },
    resourcePolicy: allowing(root, { NotPrincipal: { AWS: root } }),
    decision: 'Allow',
  },
  {
    title: 'NotPrincipal with Deny denies a user who has a permissions boundary, though listed',
    source: 'IAM User Guide, Permissions boundaries for IAM entities',
    request: decrypt(),
    resourcePolicy: allowing(alice, { NotPrincipal: { AWS: [alice, root] } }),
    permissionsBoundary: allowKms,
    decision: 'ExplicitDeny',
  },
  {
    title: 'NotPrincipal with Allow allows a user who is not listed',
    source: `${notPrincipal}, Specifying NotPrincipal with Allow`,
    request: decrypt(),
    resourcePolicy: policy({ Effect: 'Allow', NotPrincipal: { AWS: bob }, Action: 'kms:*', Resource: '*' }),
    decision: 'Allow',
  },
  {
    title: 'NotPrincipal with Allow does not allow a user who is listed',
    source: `${notPrincipal}, Specifying NotPrincipal with Allow`,
    request: decrypt(),
    resourcePolicy: policy({ Effect: 'Allow', NotPrincipal: { AWS: alice }, Action: 'kms:*', Resource: '*' }),
    decision: 'ImplicitDeny',
  },
  {
    title: 'NotPrincipal with Allow does not allow a session whose role is listed',
    source: `${notPrincipal}, Specifying NotPrincipal with Allow`,
    request: bySession,
    resourcePolicy: policy({ Effect: 'Allow', NotPrincipal: { AWS: role }, Action: 'kms:*', Resource: '*' }),
    decision: 'ImplicitDeny',
  },
]
