/** What requests to the XKS proxy act on: a prefix, or one of its external keys. */
import { AccessDenied, Failure } from '../../errors.ts'
import { type ConditionKeys, conditionValues } from '../../model/condition-keys.ts'
import type { Key } from '../../model/keys/key.ts'
import { keyConditions } from '../../model/keys/key-condition-keys.ts'
import { keySpecs } from '../../model/keys/key-spec.ts'
import { checkState } from '../../model/keys/key-state.ts'
import { recordedMaterial } from '../../model/keys/recorded-material.ts'
import type { XksKey } from '../../model/xks/external-key.ts'
import type { XksPrefix } from '../../model/xks/prefix.ts'
import type { Changes, Storage } from '../../services.ts'
import type { Search, Target, TargetKind } from '../operation.ts'
import type { HealthInput, MetadataInput } from './operation.ts'

export interface PrefixTarget extends Target {
  readonly prefix: XksPrefix
}

export interface ExternalKeyTarget extends PrefixTarget {
  readonly xksKey: XksKey
  /** The KMS key of the gateway that it stands for. */
  readonly key: Key
}

/** Needs no permission: the specification, "GetHealthStatus". */
export const prefixTarget: TargetKind<HealthInput, PrefixTarget> = {
  find: (input, search) => ({ prefix: prefixOf(input, search), permissions: [], resources: [], check() {} }),
}

interface Needs {
  /** Of AWS KMS, by which the key policy decides. */
  readonly action: 'Encrypt' | 'Decrypt' | 'DescribeKey'
  /** Whether it is a cryptographic use of the key. */
  readonly isUse: boolean
}

export function externalKey({ action, isUse }: Needs): TargetKind<MetadataInput, ExternalKeyTarget> {
  return {
    find(input, search) {
      const prefix = prefixOf(input, search)
      const { xksKey, key } = keyOf(prefix, input, search)
      const { arn, account, policy, policyPrincipals } = key
      const { caller, storage } = search
      const ofKey = keyConditions({ key, account, alias: undefined, caller, storage })
      const permission = {
        action,
        resource: arn,
        account,
        resourcePolicy: { text: policy, principalIds: policyPrincipals },
        conditionKeys: (name: string) => conditionValues(xksConditionKeys, name, input) ?? ofKey(name),
      }
      return {
        prefix,
        xksKey,
        key,
        permissions: [permission],
        resources: [arn],
        usedKeys: isUse ? [arn] : undefined,
        get recordedMaterial() {
          return isUse ? recordedMaterial(key, key.materials.at(-1)) : undefined
        },
        check() {
          checkPin(xksKey, input)
          if (isUse) checkUse(key, storage)
        },
      }
    },
  }
}

/** Of requests to the XKS proxy: documented in docs/policies.md. */
export const xksConditionKeys: ConditionKeys<MetadataInput> = {
  'xks:AwsPrincipalArn': ({ requestMetadata }) => requestMetadata.awsPrincipalArn,
  'xks:KmsKeyAccount': ({ requestMetadata }) => requestMetadata.kmsKeyArn?.split(':')[4],
  'xks:KmsKeyArn': ({ requestMetadata }) => requestMetadata.kmsKeyArn,
  'xks:KmsOperation': ({ requestMetadata }) => requestMetadata.kmsOperation,
  'xks:KmsViaService': ({ requestMetadata }) => requestMetadata.kmsViaService,
  'xks:Prefix': ({ prefix }) => prefix,
  'xks:SourceVpc': ({ requestMetadata }) => requestMetadata.awsSourceVpc,
  'xks:SourceVpce': ({ requestMetadata }) => requestMetadata.awsSourceVpce,
}

/** Pins an external key to the first KMS key that uses it. Of several at a time, one commits first, and the others are decided again. */
export function pin(
  { xksKey }: ExternalKeyTarget,
  { requestMetadata: { kmsKeyArn } }: MetadataInput,
  changes: Changes,
): void {
  if (xksKey.pinFirstUser && xksKey.pinnedTo === undefined) changes.put('xksKeys', { ...xksKey, pinnedTo: kmsKeyArn })
}

/** GetKeyMetadata, which KMS sends before it has a key, is not refused. */
function checkPin({ id, pinFirstUser, pinnedTo }: XksKey, { requestMetadata: { kmsKeyArn } }: MetadataInput): void {
  if (!pinFirstUser || pinnedTo === undefined || kmsKeyArn === undefined || kmsKeyArn === pinnedTo) return
  const reasons = [`The external key ${id} is pinned to the KMS key ${pinnedTo}.`]
  throw new AccessDenied(`The external key ${id} is used by another KMS key.`, { reasons })
}

function checkUse(key: Key, { customKeyStores }: Storage): void {
  const { arn, spec, usage, xksKeyId } = key
  if (keySpecs[spec].type !== 'symmetric' || usage !== 'ENCRYPT_DECRYPT')
    throw new Failure('InvalidKeyUsage', `${arn} is no symmetric encryption key.`)
  if (xksKeyId !== undefined)
    throw new Failure('UnsupportedOperation', `${arn} is in an external key store itself, so it cannot be served.`)
  checkState(key, 'use', customKeyStores.ofKey(key))
}

function prefixOf({ prefix: name }: HealthInput, { storage }: Search): XksPrefix {
  const prefix = storage.xksPrefixes.find(name)
  if (prefix === undefined) throw new Failure('UnknownOperation', 'There is no such prefix.')
  if (prefix.frozen) throw new Failure('InvalidState', 'The prefix is frozen.')
  return prefix
}

function keyOf(
  { name }: XksPrefix,
  { externalKeyId }: MetadataInput,
  { storage }: Search,
): { readonly xksKey: XksKey; readonly key: Key } {
  const xksKey = storage.xksKeys.find(name, externalKeyId)
  const key = xksKey && storage.keys.find(xksKey.keyArn)
  if (key === undefined) throw new Failure('NotFound', `There is no external key ${externalKeyId}.`)
  if (xksKey!.frozen) throw new Failure('InvalidState', `The external key ${externalKeyId} is frozen.`)
  return { xksKey: xksKey!, key }
}
