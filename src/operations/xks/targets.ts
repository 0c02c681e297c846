/** What requests to the XKS proxy act on: a prefix, or one of its external keys. */
import { AccessDenied, Failure } from '../../errors.ts'
import { type ConditionKeys, conditionValues } from '../../model/condition-keys.ts'
import type { Key, KeyMaterial } from '../../model/keys/key.ts'
import { keyConditions } from '../../model/keys/key-condition-keys.ts'
import { keySpecs } from '../../model/keys/key-spec.ts'
import { checkState } from '../../model/keys/key-state.ts'
import { type RecordedMaterial, recordedMaterial } from '../../model/keys/recorded-material.ts'
import type { XksKey } from '../../model/xks/external-key.ts'
import type { XksPrefix } from '../../model/xks/prefix.ts'
import type { Changes, Storage } from '../../services.ts'
import type { Permission, Search, Target, TargetKind } from '../operation.ts'
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

interface Needs<I> {
  /** Of AWS KMS, by which the key policy decides. */
  readonly action: 'Encrypt' | 'Decrypt' | 'DescribeKey'
  /** Of a cryptographic use of the key: the material with which an HSM does it. */
  readonly material?: (key: Key, input: I) => KeyMaterial | undefined
}

export function externalKey<I extends MetadataInput>(needs: Needs<I>): TargetKind<I, ExternalKeyTarget> {
  return {
    find(input, search) {
      const prefix = prefixOf(input, search)
      const xksKey = xksKeyOf(prefix, input, search)
      return new FoundKey(prefix, xksKey, keyOf(xksKey, search), needs, input, search)
    },
  }
}

class FoundKey<I extends MetadataInput> implements ExternalKeyTarget {
  readonly prefix: XksPrefix
  readonly xksKey: XksKey
  readonly key: Key
  readonly permissions: readonly Permission[]
  readonly resources: readonly string[]
  readonly usedKeys: readonly string[] | undefined
  readonly #needs: Needs<I>
  readonly #storage: Storage
  readonly #input: I

  constructor(prefix: XksPrefix, xksKey: XksKey, key: Key, needs: Needs<I>, input: I, { caller, storage }: Search) {
    const { arn: resource, account, policy: text, policyPrincipals: principalIds } = key
    const ofKey = keyConditions({ key, account, alias: undefined, caller, storage })
    const conditionKeys = (name: string) => conditionValues(xksConditionKeys, name, input) ?? ofKey(name)
    this.prefix = prefix
    this.xksKey = xksKey
    this.key = key
    this.permissions = [
      { action: needs.action, resource, account, resourcePolicy: { text, principalIds }, conditionKeys },
    ]
    this.resources = [resource]
    this.usedKeys = needs.material && this.resources
    this.#needs = needs
    this.#storage = storage
    this.#input = input
  }

  get recordedMaterial(): RecordedMaterial | undefined {
    const { material } = this.#needs
    return material && recordedMaterial(this.key, material(this.key, this.#input))
  }

  check(): void {
    checkPin(this.xksKey, this.#input)
    if (this.#needs.material) checkUse(this.key, this.#storage)
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

function xksKeyOf({ name }: XksPrefix, { externalKeyId }: MetadataInput, { storage }: Search): XksKey {
  const xksKey = storage.xksKeys.find(name, externalKeyId)
  if (xksKey === undefined) throw new Failure('NotFound', `There is no external key ${externalKeyId}.`)
  if (xksKey.frozen) throw new Failure('InvalidState', `The external key ${externalKeyId} is frozen.`)
  return xksKey
}

function keyOf({ id, keyArn }: XksKey, { storage }: Search): Key {
  const key = storage.keys.find(keyArn)
  if (key === undefined) throw new Failure('NotFound', `The KMS key behind the external key ${id} is gone.`)
  return key
}
