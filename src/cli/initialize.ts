/** `strongroom init`. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fingerprintOf } from '../audit/checkpoint.ts'
import { administratorKeyFromEnvironment } from '../config/administrator.ts'
import { auditHsmOf, type Config, type HsmConfig, regionalHsms } from '../config.ts'
import { OperatorError } from '../errors.ts'
import { profileOf } from '../hsm/profiles/find-profile.ts'
import { provisionHsm } from '../hsm/provision.ts'
import type { SqlDatabase } from '../storage/sql-database.ts'
import type { Storage } from '../storage/storage.ts'
import { auditKeyPem, auditPublicKey, hasAuditKeyOn } from '../vault/audit-key.ts'
import { missingSystemKeys } from '../vault/system-keys.ts'
import {
  administratorKey,
  createAdministrator,
  ensureAuditKey,
  ensureSystemKeys,
  type Installation,
  newAccessKey,
  plainAccessKey,
  recordCredentialsWritten,
  recordInitialized,
  requireUnused,
} from './administrator.ts'
import { writeAuditKey } from './audit-key-file.ts'
import { credentialsFile, type PlainAccessKey, readCredentials, writeCredentials } from './credentials.ts'
import {
  auditFiles,
  type DataFolder,
  ensureDataFolder,
  ensureSecurityOfficerPin,
  openDataFolder,
} from './data-folder.ts'
import { harden } from './harden.ts'
import type { ConfigOptions } from './options.ts'
import { settleSoftHsm } from './softhsm-configuration.ts'

export interface InitOptions extends ConfigOptions {
  readonly account?: string
  readonly writeCredentials?: boolean
}

/** @param firstAccount of the administrator, if there is none yet and the options name no other */
export async function initialize(firstAccount: string, options: InitOptions): Promise<void> {
  harden()
  const given = administratorKeyFromEnvironment()
  if (options.config === undefined) ensureDataFolder(options.data)
  const folder = openDataFolder(options)
  const { config } = folder
  const { openSqlDatabase } = await import('../assemble/storage.ts')
  const { readRecords } = await import('../storage/sql-storage.ts')
  await using closing = new AsyncDisposableStack()
  // From here on this process has the lock on the folder.
  const database = closing.adopt(await openSqlDatabase(config.storage, !isInUse(folder)), database => database.close())
  settleSoftHsm(folder, { write: true })
  // All that tells whether something is missing: with many keys, the rest takes seconds to read.
  const known = await readRecords(database, ['principals', 'accessKeys', 'systemKeys'])
  const account = options.account ?? accountByDefault(firstAccount, known)
  if (isComplete(config, known, account) && !options.writeCredentials) return conclude(account, folder, known)
  closing.move()
  await complete(database, account, folder, { given, isRepeated: options.writeCredentials ?? false })
}

/** What tells whether an installation is complete. */
type Installed = Pick<Storage, 'principals' | 'accessKeys' | 'systemKeys'>

/** What to do about an administrator. */
interface Wanted {
  readonly given: PlainAccessKey | undefined
  readonly isRepeated: boolean
}

/** Creates what is missing. @param database which it closes */
async function complete(
  database: SqlDatabase,
  account: string | undefined,
  folder: DataFolder,
  wanted: Wanted,
): Promise<void> {
  const { config } = folder
  const { clock, connectHsms, openDatabase } = await import('../assemble/backends.ts')
  const { openAudit } = await import('../assemble/recording.ts')
  await using opened = new AsyncDisposableStack()
  const storage = await openDatabase(config, opened, { database })
  const initialized: string[] = []
  for (const [name, hsm] of Object.entries(regionalHsms(config)))
    if (missingSystemKeys(name, storage).length > 0 && (await provision(hsm))) initialized.push(name)
  const hsms = await connectHsms(config, storage, opened)
  const installation = {
    storage,
    hsms,
    clock,
    ...(await openAudit(config, { storage, hsms }, opened, { clock })),
  }
  for (const name of initialized) await recordInitialized(name, installation)
  for (const hsm of hsms.all) await ensureSystemKeys(hsm, installation)
  await ensureAuditKey(hsms.named(auditHsmOf(config)), installation)
  await ensureAdministrator(account, folder, installation, wanted)
  conclude(account, folder, storage)
}

function conclude(account: string | undefined, folder: DataFolder, installed: Installed): void {
  process.stdout.write(conclusion(account, folder, installed))
  process.stdout.write(pinnedAuditKey(folder, installed))
}

/** Whether storage existed: it is created before audit file, token and credentials, and new storage would know none of the keys. */
function isInUse({ path, config: { audit } }: DataFolder): boolean {
  const tokens = join(path, 'tokens')
  const hasToken = existsSync(tokens) && readdirSync(tokens).length > 0
  const hasCredentials = existsSync(credentialsFile(path))
  return (
    hasToken ||
    hasCredentials ||
    auditFiles(audit.file).some(file => (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 0)
  )
}

/** The account whose administrator is created by default; undefined if another account has an administrator. */
function accountByDefault(firstAccount: string, storage: Installed): string | undefined {
  const isThere = administratorKey(firstAccount, storage) !== undefined
  return isThere || storage.accessKeys.count() === 0 ? firstAccount : undefined
}

function isComplete(config: Config, storage: Installed, account: string | undefined): boolean {
  if (account !== undefined && administratorKey(account, storage) === undefined) return false
  const hsms = Object.keys(regionalHsms(config))
  const hasKeys = hsms.every(name => missingSystemKeys(name, storage).length === 0)
  return hasKeys && hasAuditKeyOn(auditHsmOf(config), hsms, storage)
}

/** Hardware tokens are created with the vendor's tools. Resolves to whether the token was created now. */
async function provision({ token, ...hsm }: HsmConfig): Promise<boolean> {
  const { pinFile } = hsm
  if (!profileOf(hsm.profile).canInitializeToken || token.label === undefined || pinFile === undefined) return false
  const securityOfficerPinFile = ensureSecurityOfficerPin(pinFile)
  return (await provisionHsm({ ...hsm, pinFile, tokenLabel: token.label, securityOfficerPinFile })) === 'created'
}

/**
 * Creates the administrator of an account if there is none. Its access key is written to the credentials file first: if only that succeeds,
 * the next run finds the key there. A key in storage is not written again by default, as it may have been moved away.
 */
async function ensureAdministrator(
  account: string | undefined,
  { path, config }: DataFolder,
  installation: Installation,
  { given, isRepeated }: Wanted,
): Promise<void> {
  if (account === undefined) {
    if (isRepeated)
      throw new OperatorError('no administrator of the default account: choose another account with --account')
    return
  }
  const { storage, hsms } = installation
  const region = Object.keys(config.regions)[0]!
  const present = administratorKey(account, storage)
  if (present !== undefined) {
    if (!isRepeated) return
    await recordCredentialsWritten(present, installation)
    writeCredentials(path, account, region, await plainAccessKey(present, installation))
    return
  }
  const key = given ?? readCredentials(path, account) ?? (await newAccessKey(hsms.ofRegion(region)))
  requireUnused(key, storage)
  writeCredentials(path, account, region, key)
  await createAdministrator(account, region, installation, key)
}

/** Its copy on another machine is what shows that an audit file was not replaced as a whole. */
function pinnedAuditKey({ path, config }: DataFolder, storage: Installed): string {
  const key = storage.systemKeys.find(auditHsmOf(config), 'audit')!
  const file = writeAuditKey(path, auditKeyPem(key))
  const fingerprint = fingerprintOf(auditPublicKey(key))
  return `Audit checkpoints are signed by the key in ${file} (SHA-256 ${fingerprint}): keep a copy on another machine\n`
}

function conclusion(account: string | undefined, { path }: DataFolder, storage: Installed): string {
  const file = credentialsFile(path)
  if (account === undefined) return 'Ready.\n'
  const { id } = administratorKey(account, storage)!
  if (readCredentials(path, account)?.accessKeyId === id) return `Ready. The administrator's access key is in ${file}\n`
  return `Ready. The administrator's access key ${id} is not in ${file}\n`
}
