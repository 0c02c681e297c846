/** Tenants of the XKS proxy, as operations find, make and show them. */
import { z } from 'zod'
import { Failure } from '../../errors.ts'
import { certificatesIn } from '../../model/certificates.ts'
import { isXksAccessKeyId, type XksProxyConfiguration } from '../../model/xks/credentials.ts'
import { type ClientCertificate, credentialName, type XksCredential, type XksPrefix } from '../../model/xks/prefix.ts'
import { isUriPath, uriPathOf } from '../../model/xks/uris.ts'
import type { Hsm, Storage } from '../../services.ts'
import { sealSecret } from '../../vault/access-key-secrets.ts'
import type { Vault } from '../../vault/ciphertexts.ts'
import { randomIdentifier, randomXksSecret } from '../../vault/identifiers.ts'
import type { Target, TargetKind } from '../operation.ts'
import { targetOf } from './operation.ts'

/** The present one and the next, as those of a user (IAM). */
export const maximumCredentials = 2

/** No segment is empty: what stands between KMS and the proxy may merge two slashes, which breaks signatures. */
export const prefixName = z
  .string()
  .refine(
    name => name === '' || /^[\w-]+(?:\/[\w-]+)*$/.test(name),
    'a prefix has letters, digits, dashes and underscores, and slashes between them',
  )
  .refine(name => isUriPath(uriPathOf(name)), 'too long: a URI path has at most 128 characters')

export const xksAccessKeyId = z.string().refine(isXksAccessKeyId, 'not the access key ID of an XKS credential')

/** What of a prefix can be changed. */
export const prefixSettings = {
  frozen: z.boolean(),
  /** Requests per second. */
  quota: z.int().min(1).max(1_000_000),
  clientCertificate: z.strictObject({
    commonName: z.string().regex(/^[\x20-\x7e]{1,64}$/, 'not a common name'),
    ca: z.string().max(65_536).refine(isCertificates, 'not certificates in PEM').optional(),
  }),
  sampleProxyAad: z.boolean(),
}

function isCertificates(pem: string): boolean {
  try {
    return certificatesIn(pem).length > 0
  } catch {
    return false
  }
}

export interface PrefixTarget extends Target {
  readonly prefix: XksPrefix
}

/** A prefix, by its name. Throws NotFound. */
export const prefixTarget: TargetKind<{ readonly prefix: string }, PrefixTarget> = {
  find: ({ prefix }, { storage }) => ({ ...targetOf(), prefix: prefixOf(prefix, storage) }),
}

/** Throws NotFound. */
export function prefixOf(name: string, { xksPrefixes }: Pick<Storage, 'xksPrefixes'>): XksPrefix {
  const prefix = xksPrefixes.find(name)
  if (prefix === undefined) throw new Failure('NotFound', `there is no ${named(name)}`)
  return prefix
}

export function named(prefix: string): string {
  return prefix === '' ? 'XKS prefix / (the empty one)' : `XKS prefix ${prefix}`
}

export interface CredentialTarget extends PrefixTarget {
  readonly credential: XksCredential
}

/** A credential of a prefix, by its access key ID. Throws NotFound. */
export const credentialTarget: TargetKind<{ readonly prefix: string; readonly accessKeyId: string }, CredentialTarget> =
  {
    find(input, { storage }) {
      const prefix = prefixOf(input.prefix, storage)
      const credential = prefix.credentials.find(({ accessKeyId }) => accessKeyId === input.accessKeyId)
      if (credential) return { ...targetOf(), prefix, credential }
      throw new Failure('NotFound', `${named(prefix.name)} has no credential ${input.accessKeyId}`)
    },
  }

export interface NewCredential {
  readonly credential: XksCredential
  /** What the consumer of the prefix is given: the only place that has the secret. */
  readonly configuration: XksProxyConfiguration
}

/** By the random number generator of the HSM, which seals the secret. Rejects with KeyUnavailable. */
export async function newCredential(prefix: string, createdAt: number, hsm: Hsm, vault: Vault): Promise<NewCredential> {
  const accessKeyId = await randomIdentifier('XKSA', hsm)
  const RawSecretAccessKey = await randomXksSecret(hsm)
  const secret = Buffer.from(RawSecretAccessKey)
  const sealedSecret = await sealSecret(credentialName(prefix, accessKeyId), secret, hsm.name, vault)
  secret.fill(0)
  return {
    credential: { accessKeyId, sealedSecret, createdAt, status: 'Active' },
    configuration: {
      XksProxyUriPath: uriPathOf(prefix),
      XksProxyAuthenticationCredential: { AccessKeyId: accessKeyId, RawSecretAccessKey },
    },
  }
}

/** A prefix as it is shown: never with a secret. */
export interface ShownPrefix extends Pick<XksPrefix, 'account' | 'region' | 'frozen' | 'quota' | 'sampleProxyAad'> {
  readonly prefix: string
  readonly uriPath: string
  readonly keys: number
  readonly clientCertificate?: ClientCertificate | undefined
  readonly credentials: readonly {
    readonly accessKeyId: string
    readonly status: XksCredential['status']
    /** Milliseconds since the epoch. */
    readonly createdAt: number
    readonly lastUse?: { readonly usedAt: number; readonly sourceAddress: string } | undefined
  }[]
}

export async function shownPrefix(prefix: XksPrefix, storage: Storage): Promise<ShownPrefix> {
  const { name, account, region, frozen, quota, sampleProxyAad, clientCertificate, credentials } = prefix
  const shown = credentials.map(async ({ accessKeyId, status, createdAt }) => {
    const { usedAt, sourceAddress } = (await storage.accessKeys.lastUse(credentialName(name, accessKeyId))) ?? {}
    const lastUse = usedAt === undefined ? undefined : { usedAt, sourceAddress: sourceAddress! }
    return { accessKeyId, status, createdAt, lastUse }
  })
  return {
    prefix: name,
    uriPath: uriPathOf(name),
    account,
    region,
    frozen,
    quota,
    sampleProxyAad,
    clientCertificate,
    keys: storage.xksKeys.ofPrefix(name).length,
    credentials: await Promise.all(shown),
  }
}
