/** Users, roles and sessions of an installation, created through the gateway's own storage and HSM while no gateway runs. */
import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { clock, connectHsms, openDatabase } from '../../src/assemble/backends.ts'
import { openAudit } from '../../src/assemble/recording.ts'
import { readConfig } from '../../src/config.ts'
import { principalArn, sessionArn } from '../../src/model/arn.ts'
import { type OidcProvider, oidcProviderArn } from '../../src/model/identities/oidc-provider.ts'
import type { ManagedPolicy } from '../../src/model/identities/policy.ts'
import type { Principal } from '../../src/model/identities/principal.ts'
import type { RoleSession } from '../../src/model/identities/session.ts'
import { Changes } from '../../src/storage/storage.ts'
import { sealSecret } from '../../src/vault/access-key-secrets.ts'
import { sealSession } from '../../src/vault/session-tokens.ts'
import type { Credentials, Installation } from './gateway.ts'

/** A policy document, or its text. */
export type Policy = object | string

/** What a user or role has besides its name. */
export interface Given {
  /** Identity-based. */
  readonly policies?: readonly Policy[]
  readonly boundary?: Policy
  readonly tags?: Readonly<Record<string, string>>
  /** Of a role; default: its account. */
  readonly trust?: Policy
  /** Of a role: seconds; default: 12 hours. */
  readonly maxSessionDuration?: number
}

export interface Role {
  readonly arn: string
  readonly principalId: string
}

/** A user or role session, with credentials for the AWS SDK: `gateway.client({ credentials })`. */
export interface Identity extends Role {
  readonly credentials: Credentials
}

export interface SessionGiven extends Omit<RoleSession, 'name' | 'policies'> {
  readonly policies?: readonly Policy[]
  /** Milliseconds since the epoch; default: now, or an hour before it expires if that is earlier. */
  readonly issuedAt?: number
  /** Milliseconds since the epoch; default: an hour from now. */
  readonly expiresAt?: number
}

export interface Identities {
  /** @param name with its path, if any: `division/alice` */
  user(account: string, name: string, given?: Given): Promise<Identity>
  role(account: string, name: string, given?: Given): Promise<Role>
  /** Makes a user call as a service. @param accounts those in which it may act */
  service(name: string, user: Role, accounts: readonly string[]): Promise<void>
  oidcProvider(account: string, given: Pick<OidcProvider, 'url' | 'audiences' | 'jwksFile'>): Promise<OidcProvider>
  /** @param principal a role, or a user, whose sessions have no name */
  session(principal: Role, name: string, given?: SessionGiven): Promise<Identity>
  /** Revokes the sessions issued until now. */
  revokeSessions(principal: Role): Promise<void>
  /** Removes a user or role, with its access keys. */
  remove(principal: Role): Promise<void>
}

/** Opens the installation, once for all of its identities. The gateway must not be running. */
export async function withIdentities<T>(
  { folder }: Pick<Installation, 'folder'>,
  work: (identities: Identities) => Promise<T>,
): Promise<T> {
  await using opened = new AsyncDisposableStack()
  const config = readConfig(join(folder, 'strongroom.yaml'))
  const storage = await openDatabase(config, opened)
  const hsms = await connectHsms(config, storage, opened)
  const { audit, outbox } = await openAudit(config, { storage, hsms }, opened, { clock: Date.now })
  const [region] = Object.keys(config.regions)

  const commit = (event: string, arn: string, change: (changes: Changes) => void) => {
    const changes = new Changes()
    change(changes)
    return outbox.record(changes, audit.event(event, arn, {}))
  }

  const principal = async (type: Principal['type'], account: string, name: string, given: Given) => {
    const { policies = [], boundary, tags = {}, trust, maxSessionDuration = 43_200 } = given
    const arn = principalArn('aws', account, `${type}/${name}`)
    const principalId = randomId(type === 'user' ? 'AIDA' : 'AROA', 17)
    const boundaryArn = principalArn('aws', account, `policy/boundary-of-${principalId}`)
    const common = {
      arn,
      account,
      name: name.slice(name.lastIndexOf('/') + 1),
      principalId,
      inlinePolicies: policies.map((policy, index) => ({ name: `policy-${index}`, document: textOf(policy) })),
      managedPolicies: [],
      permissionsBoundary: boundary && boundaryArn,
      tags: Object.entries(tags).map(([TagKey, TagValue]) => ({ TagKey, TagValue })),
      createdAt: clock(),
      revision: 0,
    }
    const ofRole = { trustPolicy: textOf(trust ?? trusting(account)), maxSessionDuration }
    const record: Principal = type === 'user' ? { ...common, type, groups: [] } : { ...common, type, ...ofRole }
    await commit(type === 'user' ? 'CreateUser' : 'CreateRole', arn, changes => {
      if (!storage.accounts.find(account)) changes.put('accounts', { id: account, createdAt: clock(), revision: 0 })
      if (boundary) changes.put('managedPolicies', boundaryPolicy(boundaryArn, account, boundary))
      changes.put('principals', record)
    })
    return { arn, principalId }
  }

  const secretOf = (id: string) => `not-a-secret-of-${id}`
  const hsm = hsms.ofRegion(region!).name
  const vault = { storage, hsms }

  return await work({
    async user(account, name, given = {}) {
      const user = await principal('user', account, name, given)
      const accessKeyId = randomId('AKIA', 16)
      const secretAccessKey = secretOf(accessKeyId)
      const sealedSecret = await sealSecret(accessKeyId, Buffer.from(secretAccessKey), hsm, vault)
      const accessKey = {
        id: accessKeyId,
        principalArn: user.arn,
        sealedSecret,
        status: 'Active' as const,
        revision: 0,
      }
      await commit('CreateAccessKey', user.arn, changes => changes.put('accessKeys', accessKey))
      return { ...user, credentials: { accessKeyId, secretAccessKey } }
    },

    role: (account, name, given = {}) => principal('role', account, name, given),

    async oidcProvider(account, given) {
      const arn = oidcProviderArn('aws', account, given.url)
      const record = { arn, account, createdAt: clock(), revision: 0, ...given }
      await commit('CreateOpenIDConnectProvider', arn, changes => changes.put('oidcProviders', record))
      return record
    },

    service: (name, { arn: userArn }, accounts) =>
      commit('CreateService', userArn, changes =>
        changes.put('services', { name, userArn, accounts, createdAt: clock(), revision: 0 }),
      ),

    async session({ arn, principalId }, name, given = {}) {
      const {
        policies,
        expiresAt = clock() + 3_600_000,
        issuedAt = Math.min(clock(), expiresAt - 3_600_000),
        ...rest
      } = given
      const accessKeyId = randomId('ASIA', 16)
      const secret = secretOf(accessKeyId)
      const isRole = arn.includes(':role/')
      const role = isRole ? { name, policies: policies?.map(textOf), ...rest } : undefined
      const sessionToken = await sealSession(
        { accessKeyId, secret, principalId, issuedAt, expiresAt, role },
        hsm,
        vault,
      )
      return {
        arn: isRole ? sessionArn(arn, name) : arn,
        principalId: isRole ? `${principalId}:${name}` : principalId,
        credentials: { accessKeyId, secretAccessKey: secret, sessionToken },
      }
    },

    async revokeSessions({ arn }) {
      const principal = storage.principals.find(arn)!
      await commit('RevokeSessions', arn, changes =>
        changes.put('principals', { ...principal, sessionsRevokedBefore: clock() }),
      )
    },

    async remove({ arn }) {
      await commit('DeletePrincipal', arn, changes => {
        for (const accessKey of storage.accessKeys.ofPrincipal(arn)) changes.remove('accessKeys', accessKey)
        changes.remove('principals', storage.principals.find(arn)!)
      })
    },
  })
}

function trusting(account: string): object {
  return policyOf({ Effect: 'Allow', Principal: { AWS: account }, Action: ['sts:AssumeRole', 'sts:TagSession'] })
}

function boundaryPolicy(arn: string, account: string, document: Policy): ManagedPolicy {
  const name = arn.slice(arn.lastIndexOf('/') + 1)
  const policyId = randomId('ANPA', 17)
  return { arn, account, name, policyId, document: textOf(document), createdAt: clock(), revision: 0 }
}

/** A policy document of these statements. */
export function policyOf(...Statement: readonly object[]): object {
  return { Version: '2012-10-17', Statement }
}

function textOf(policy: Policy): string {
  return typeof policy === 'string' ? policy : JSON.stringify(policy)
}

/** The form of IAM identifiers. */
function randomId(prefix: string, length: number): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
  return prefix + Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join('')
}
