/** The ceremony that allows wrapped transfers from one HSM to another. No gateway runs meanwhile, as it changes objects of both tokens. */
import { resolve } from 'node:path'
import { fingerprintOf, pemOf } from '../audit/checkpoint.ts'
import { auditHsmOf, type Config } from '../config.ts'
import { OperatorError } from '../errors.ts'
import type { HsmOptions } from '../hsm/registry.ts'
import { type TrustOptions as TrustKey, trustKey } from '../hsm/trust.ts'
import type { KeyObject } from '../model/keys/key.ts'
import { checkSecretFile } from '../private-files.ts'
import { createTransferKey, isTransferKeySound, transferKey } from '../vault/transfer-key.ts'
import type { Installation } from './administrator.ts'
import { openDataFolder } from './data-folder.ts'
import { harden } from './harden.ts'
import type { ConfigOptions } from './options.ts'
import { settleSoftHsm } from './softhsm-configuration.ts'

interface Way {
  readonly from: string
  readonly to: string
}

export interface TrustOptions extends ConfigOptions, Way {
  readonly soPinFile?: string
}

export async function trust({ soPinFile, ...options }: TrustOptions): Promise<void> {
  harden()
  const folder = openDataFolder(options)
  const { config } = folder
  checkAllowed(options, config)
  if (soPinFile !== undefined) checkSecretFile(soPinFile)
  const { clock, connectHsms, hsmOptions, openDatabase, requireSystemKeys } = await import('../assemble/backends.ts')
  const { openAudit } = await import('../assemble/recording.ts')
  await using opened = new AsyncDisposableStack()
  // From here on this process has the lock on the folder.
  const storage = await openDatabase(config, opened)
  settleSoftHsm(folder, { write: true })
  requireSystemKeys(config, storage)
  const hsms = await connectHsms(neededBy(options, config), storage, opened)
  const recording = await openAudit(config, { storage, hsms }, opened, { clock })
  const installation = { storage, hsms, clock, ...recording }
  const key = await ensureTransferKey(options.to, installation)
  if (soPinFile === undefined) {
    process.stdout.write(asked(options, key))
    return
  }
  const tokens = tokensOf(hsmOptions(options.from, config.hsms[options.from]!))
  const isNew = await trustOn(tokens, resolve(soPinFile), { ...options, key }, installation)
  process.stdout.write(concluded(options, key, isNew))
}

type Token = Pick<TrustKey, 'library' | 'libraryParameters' | 'tokenLabel' | 'tokenSerial' | 'profile' | 'environment'>

/** Those of a cluster, as its vendor may not replicate public keys. */
function tokensOf({ members, ...hsm }: HsmOptions): readonly Token[] {
  const all = members === undefined ? [hsm] : Object.values(members).map(member => ({ ...hsm, ...member }))
  return all.map(({ library, libraryParameters, tokenLabel, tokenSerial, profile, environment }) => {
    return { library, libraryParameters, tokenLabel, tokenSerial, profile, environment }
  })
}

function checkAllowed({ from, to }: Way, { hsms, multiRegion: { transfers } }: Config): void {
  const unknown = [from, to].find(name => !Object.hasOwn(hsms, name))
  if (unknown !== undefined)
    throw new OperatorError(`unknown HSM ${unknown}: the configuration has ${Object.keys(hsms).join(', ')}`)
  if (transfers.some(pair => pair.from === from && pair.to === to)) return
  const pair = `{ from: ${from}, to: ${to} }`
  throw new OperatorError(
    `the configuration allows no transfers from ${from} to ${to}: add ${pair} to multiRegion.transfers`,
  )
}

/** Only the HSM of the transfer key, and the one that signs the audit journal. */
function neededBy({ to }: Way, config: Config): Config {
  const needed = Object.entries(config.hsms).filter(([name]) => name === to || name === auditHsmOf(config))
  return { ...config, hsms: Object.fromEntries(needed) }
}

/** One that the HSM has lost, or that is no longer protected, is replaced: nobody trusts the new one yet. */
async function ensureTransferKey(name: string, installation: Installation): Promise<KeyObject> {
  const hsm = installation.hsms.named(name)
  const present = transferKey(name, installation.storage)
  if (present !== undefined && (await isTransferKeySound(hsm, present))) return present
  return createTransferKey(hsm, installation, byWhom())
}

const byWhom = () => ({ command: 'multi-region trust', uid: process.getuid?.() })

/** Resolves to whether one of the tokens did not have the trusted key yet. */
async function trustOn(
  tokens: readonly Token[],
  securityOfficerPinFile: string,
  { from, to, key }: Way & { readonly key: KeyObject },
  { storage, audit, outbox }: Installation,
): Promise<boolean> {
  const publicKey = key.publicKey!
  const details = { hsm: from, transfersFor: to, objectId: key.id, fingerprint: fingerprintOf(publicKey), ...byWhom() }
  const intent = audit.event('TrustTransferKey', undefined, details)
  let isNew = false
  await outbox.act(intent, async changes => {
    const trusted = { object: key.id, label: `strongroom transfer key of ${to}`, publicKey, securityOfficerPinFile }
    for (const token of tokens) if ((await trustKey({ ...token, ...trusted })) === 'created') isNew = true
    // Without a change, the record would say that there was none.
    changes.put('systemKeys', storage.systemKeys.find(to, 'transfer')!)
    return { ...intent, additionalEventData: { ...details, wasTrusted: !isNew } }
  })
  return isNew
}

function concluded({ from, to }: Way, { publicKey }: KeyObject, isNew: boolean): string {
  const line = `The HSM ${from} ${isNew ? 'now trusts' : 'trusts'} the transfer key of the HSM ${to}`
  return `${line}\n${fingerprintLine(publicKey!)}`
}

function asked({ from, to }: Way, { id, publicKey }: KeyObject): string {
  return `The transfer key of the HSM ${to}, to be put on the token of the HSM ${from} with CKA_WRAP and CKA_TRUSTED (CKA_ID ${id}):
${pemOf(publicKey!)}${fingerprintLine(publicKey!)}`
}

function fingerprintLine(publicKey: Uint8Array): string {
  return `SHA-256 fingerprint: ${fingerprintOf(publicKey)}\n`
}
