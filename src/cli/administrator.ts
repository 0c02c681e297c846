import type { Backends } from '../assemble/backends.ts'
import type { Recording } from '../assemble/recording.ts'
import { Failure, OperatorError } from '../errors.ts'
import type { Hsm } from '../hsm/hsm.ts'
import { partitionOf, principalArn } from '../model/arn.ts'
import type { AccessKey } from '../model/identities/access-key.ts'
import type { Services } from '../services.ts'
import { Changes, Conflict, type Storage } from '../storage/storage.ts'
import { sealSecret, unsealSecret } from '../vault/access-key-secrets.ts'
import { createAuditKey } from '../vault/audit-key.ts'
import { randomIdentifier, randomSecret } from '../vault/identifiers.ts'
import { createSystemKeys } from '../vault/system-keys.ts'
import type { PlainAccessKey } from './credentials.ts'

const userName = 'administrator'

/** What `init` works on; its changes are audited like those of callers. */
export type Installation = Backends & Pick<Recording, 'audit' | 'outbox'> & Pick<Services, 'clock'>

/** For the audit record: `init` has no caller, but was run by a user of this machine. */
const byWhom = () => ({ command: 'init', uid: process.getuid?.() })

/** Creates the gateway's own keys on an HSM, if they are missing. */
export function ensureSystemKeys(hsm: Hsm, installation: Installation): Promise<void> {
  return createSystemKeys(hsm, installation, byWhom()).catch(explainConflict)
}

/** Nothing is left on the HSM. */
function explainConflict(error: unknown): never {
  if (!(error instanceof Conflict)) throw error
  throw new OperatorError('another strongroom init uses the same storage: run it again', { cause: error })
}

/** Creates the key that signs the audit journal on an HSM, if it is missing there. Throws OperatorError if the HSM supports no such keys. */
export async function ensureAuditKey(hsm: Hsm, installation: Installation): Promise<void> {
  try {
    await createAuditKey(hsm, installation, byWhom())
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'UnsupportedOperation') return explainConflict(error)
    const reason = error.message.replace(/\.$/, '')
    throw new OperatorError(
      `the HSM ${hsm.name} cannot sign audit checkpoints: ${reason}; name another in audit.checkpoints.hsm`,
      { cause: error },
    )
  }
}

/** In whatever partition it was created: it is the administrator in all partitions. */
export function administratorKey(
  account: string,
  { principals, accessKeys }: Pick<Storage, 'principals' | 'accessKeys'>,
): AccessKey | undefined {
  const administrator = principals.named(account, 'user', userName)
  return administrator && accessKeys.ofPrincipal(administrator.arn)[0]
}

/** Generates a random access key with the HSM. */
export async function newAccessKey(hsm: Hsm): Promise<PlainAccessKey> {
  return {
    accessKeyId: await randomIdentifier('AKIA', hsm),
    secretAccessKey: await randomSecret(hsm),
  }
}

/** Throws OperatorError if the access key belongs to another account. */
export function requireUnused({ accessKeyId }: PlainAccessKey, { accessKeys }: Storage): void {
  if (accessKeys.find(accessKeyId)) {
    throw new OperatorError(`access key ${accessKeyId} already belongs to another account: use another one`)
  }
}

/** Creates the administrator of an account, with an access key, whose secret is sealed by the region's HSM. */
export async function createAdministrator(
  account: string,
  region: string,
  { storage, hsms, audit, outbox, clock }: Installation,
  key: PlainAccessKey,
): Promise<void> {
  const hsm = hsms.ofRegion(region)
  const secret = Buffer.from(key.secretAccessKey)
  const sealedSecret = await sealSecret(key.accessKeyId, secret, hsm.name, { storage, hsms })
  secret.fill(0)
  const partition = partitionOf(region)
  const arn = principalArn(partition, account, `user/${userName}`)
  const createdAt = clock()
  const event = audit.event('CreateAdministrator', arn, { accessKeyId: key.accessKeyId, ...byWhom() })
  const changes = new Changes()
  if (!storage.accounts.find(account)) changes.put('accounts', { id: account, createdAt, revision: 0 })
  changes.put('principals', {
    arn,
    account,
    type: 'user',
    name: userName,
    principalId: await randomIdentifier('AIDA', hsm),
    inlinePolicies: [],
    managedPolicies: [principalArn(partition, 'aws', 'policy/AdministratorAccess')],
    groups: [],
    tags: [],
    createdAt,
    revision: 0,
  })
  changes.put('accessKeys', {
    id: key.accessKeyId,
    principalArn: arn,
    sealedSecret,
    status: 'Active',
    createdAt,
    revision: 0,
  })
  await outbox.record(changes, event).catch(explainConflict)
}

/** Puts on record that the access key of an administrator is about to be written to a file again. */
export async function recordCredentialsWritten(
  { id: accessKeyId, principalArn }: AccessKey,
  { audit, outbox }: Installation,
): Promise<void> {
  await outbox.record(new Changes(), audit.event('WriteCredentials', principalArn, { accessKeyId, ...byWhom() }))
}

/** Puts on record that the token of an HSM was created: the audit file cannot be opened before. */
export async function recordInitialized(hsm: string, { audit, outbox }: Installation): Promise<void> {
  await outbox.record(new Changes(), audit.gatewayEvent('InitializeToken', { hsm, ...byWhom() }))
}

/** The access key with its secret, unsealed by its HSM. */
export async function plainAccessKey(accessKey: AccessKey, backends: Backends): Promise<PlainAccessKey> {
  const secret = await unsealSecret(accessKey, backends)
  const secretAccessKey = Buffer.from(secret).toString()
  secret.fill(0)
  return { accessKeyId: accessKey.id, secretAccessKey }
}
