/** External keys of the XKS proxy, as operations find and show them. */
import { Failure } from '../../errors.ts'
import { parseKeyIdentifier } from '../../model/arn.ts'
import type { Key } from '../../model/keys/key.ts'
import { type KeyState, keyState } from '../../model/keys/key-state.ts'
import type { XksKey } from '../../model/xks/external-key.ts'
import type { XksPrefix } from '../../model/xks/prefix.ts'
import type { Storage } from '../../services.ts'
import type { TargetKind } from '../operation.ts'
import { targetOf } from './operation.ts'
import { named, type PrefixTarget, prefixOf } from './xks-prefixes.ts'

export interface ExternalKeyTarget extends PrefixTarget {
  readonly externalKey: XksKey
}

export interface OfExternalKey {
  readonly prefix: string
  /** External key id. */
  readonly id: string
}

/** An external key of a prefix. Throws NotFound. */
export const externalKeyTarget: TargetKind<OfExternalKey, ExternalKeyTarget> = {
  find({ prefix: name, id }, { storage }) {
    const prefix = prefixOf(name, storage)
    const externalKey = storage.xksKeys.find(name, id)
    if (externalKey === undefined) throw new Failure('NotFound', `${named(name)} has no external key ${id}`)
    return { ...targetOf(externalKey.keyArn), prefix, externalKey }
  },
}

/**
 * The KMS key that a prefix may serve by this identifier: key id, ARN, alias name or alias ARN. Throws NotFound, InvalidArn, and Validation
 * for one that cannot be an external key: version 1 of the XKS Proxy API has 256-bit AES keys only.
 */
export function servedKey(text: string, { account, region }: XksPrefix, { keys, aliases }: Storage): Key {
  const { form, arn } = parseKeyIdentifier(text, { account, region })
  const key = keys.find(form === 'alias' ? (aliases.find(arn)?.targetKeyArn ?? '') : arn)
  if (key === undefined || key.manager) throw new Failure('NotFound', `there is no key ${arn}`)
  const reason = unfit(key, { account, region })
  if (reason === undefined) return key
  throw new Failure('Validation', `${key.arn} cannot be an external key: ${reason}`)
}

function unfit(key: Key, { account, region }: Pick<XksPrefix, 'account' | 'region'>): string | undefined {
  if (key.account !== account || key.region !== region)
    return `its prefix is of account ${account} and region ${region}`
  if (key.spec !== 'SYMMETRIC_DEFAULT') return `its key spec is ${key.spec}, not SYMMETRIC_DEFAULT`
  if (key.origin === 'EXTERNAL_KEY_STORE') return 'it is in an external key store itself'
  if (key.deletionDate !== undefined || key.state === 'PendingReplicaDeletion') return 'it is pending deletion'
  return undefined
}

export interface ShownXksKey extends XksKey {
  /** Of the KMS key; absent if there is none any more. */
  readonly keyState?: KeyState | undefined
}

export function shownXksKey(
  externalKey: XksKey,
  { keys, customKeyStores }: Pick<Storage, 'keys' | 'customKeyStores'>,
): ShownXksKey {
  const key = keys.find(externalKey.keyArn)
  return { ...externalKey, keyState: key && keyState(key, customKeyStores.ofKey(key)) }
}
