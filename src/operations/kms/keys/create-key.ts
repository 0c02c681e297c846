import { Failure } from '../../../errors.ts'
import { keyArn, partitionOf } from '../../../model/arn.ts'
import type { ConditionKeys } from '../../../model/condition-keys.ts'
import { checkKeyKind } from '../../../model/keys/ability.ts'
import { defaultKeyPolicy, type Key, objectOf } from '../../../model/keys/key.ts'
import { callerConditionKeys, keyConditions } from '../../../model/keys/key-condition-keys.ts'
import { keyMetadata } from '../../../model/keys/key-metadata.ts'
import { keySpecs } from '../../../model/keys/key-spec.ts'
import { addTags, keyMaterialTag } from '../../../model/keys/tags.ts'
import { checkImportable } from '../../../model/keys/wrapping-algorithm.ts'
import { newKeyId } from '../../../vault/identifiers.ts'
import { createMaterial, destroyUncommitted, hsmOfNew, whyUnsupportedOn } from '../../../vault/materials.ts'
import { takeSpare } from '../../../vault/spare-keys.ts'
import type { Asked, Target } from '../../operation.ts'
import { customKey, importCustomMaterial } from '../custom-keys.ts'
import { checkCluster, newKeyTarget, recordedBackingKey, storeOfNew } from '../new-store-keys.ts'
import { type Input, operation } from '../operation.ts'
import { tagConditionKeys } from '../tag-condition-keys.ts'

/** Of the key that is to be created: KMS Developer Guide, "AWS KMS condition keys". */
const conditionKeys: ConditionKeys<Asked<Input<'CreateKey'>, Target>> = {
  ...tagConditionKeys,
  'kms:BypassPolicyLockoutSafetyCheck': ({ input }) => input.BypassPolicyLockoutSafetyCheck,
  ...callerConditionKeys,
  'kms:CustomerMasterKeySpec': ({ input }) => requestedKind(input).spec,
  'kms:CustomerMasterKeyUsage': ({ input }) => requestedKind(input).usage,
  'kms:KeyOrigin': ({ input: { Origin = 'AWS_KMS' } }) => Origin,
  'kms:KeySpec': ({ input }) => requestedKind(input).spec,
  'kms:KeyUsage': ({ input }) => requestedKind(input).usage,
  'kms:MultiRegion': ({ input: { MultiRegion = false } }) => MultiRegion,
  'kms:MultiRegionKeyType': ({ input }) => (input.MultiRegion ? 'PRIMARY' : undefined),
}

export const createKey = operation('CreateKey')({
  readOnly: false,
  target: newKeyTarget,
  conditionKeys,
  recorded: [
    'KeySpec',
    'CustomerMasterKeySpec',
    'KeyUsage',
    'Origin',
    'Description',
    'MultiRegion',
    'Policy',
    'BypassPolicyLockoutSafetyCheck',
    'Tags',
    'CustomKeyStoreId',
    'XksKeyId',
  ],
  recordedDefaults: input => {
    const { spec, usage } = requestedKind(input)
    return { ...asWritten, KeySpec: spec, CustomerMasterKeySpec: spec, KeyUsage: usage }
  },
  recordedOutput: ['KeyMetadata'],
  recordedData: recordedBackingKey,
  async run({ input, caller, changes, storage, hsms, clock, checkKeyPolicy, emulator, keyStores, externalKeys }) {
    const kind = kindOf(input)
    const store = storeOfNew(input, kind, caller, { storage, keyStores })
    const { account, region } = caller
    const tags = (input.Tags ?? []) as Key['tags']
    const multiRegion = input.MultiRegion ?? false
    const custom = emulator && customKey(tags, multiRegion)
    const id = custom?.id ?? newKeyId(multiRegion)
    const draft: Key = {
      ...kind,
      arn: keyArn(caller, id),
      id,
      account,
      region,
      origin: input.Origin ?? 'AWS_KMS',
      state: 'Enabled',
      ...(multiRegion && { multiRegion: 'PRIMARY' }),
      customKeyStoreId: store?.id,
      xksKeyId: input.XksKeyId,
      description: input.Description ?? '',
      creationDate: clock(),
      tags: addTags([], custom?.tags ?? tags),
      policy: input.Policy ?? defaultKeyPolicy(account, partitionOf(region)),
      materials: [],
      revision: 0,
    }
    if (storage.keys.find(draft.arn) || storage.keys.related(draft).length > 0)
      throw new Failure('AlreadyExists', `Key ${id} already exists`)
    const policyPrincipals = checkKeyPolicy({
      text: draft.policy,
      keyArn: draft.arn,
      account,
      caller,
      // The lockout check is for policies that callers provide: KMS API Reference, "CreateKey".
      bypassLockoutSafetyCheck: input.Policy === undefined || (input.BypassPolicyLockoutSafetyCheck ?? false),
      context: keyConditions({ key: draft, account, alias: undefined, caller, storage }),
    })
    if (store?.xks) await externalKeys.check(store, input.XksKeyId!)
    const hsm = hsmOfNew(draft, { hsms, storage, keyStores })
    if (store?.cloudHsm) checkCluster(hsm)
    if (draft.origin === 'EXTERNAL') {
      if (custom?.material !== undefined)
        throw new Failure('InvalidTag', `The tag ${keyMaterialTag} is for keys of Origin AWS_KMS.`)
      checkImportable(kind.spec)
      checkKeyKind(ability => hsm.whyUnsupported(ability), kind.spec, kind.usage)
      const key = { ...draft, policyPrincipals }
      changes.put('keys', key)
      return { KeyMetadata: keyMetadata(key, whyUnsupportedOn(hsms, key), { store }) }
    }
    const spare =
      emulator && !multiRegion && !custom?.material && takeSpare(hsm.name, kind, clock(), { storage, changes })
    const material =
      spare ||
      (custom?.material
        ? await importCustomMaterial(hsm, draft, clock(), custom.material)
        : await createMaterial(hsm, draft, draft.arn, clock()))
    if (!spare) changes.created.push(objectOf(material))
    const key = { ...draft, creationDate: material.createdAt, policyPrincipals, materials: [material] }
    changes.put('keys', key)
    return { KeyMetadata: keyMetadata(key, whyUnsupportedOn(hsms, key), { store }) }
  },
  undo: destroyUncommitted,
})

/** What CloudTrail records of a request that leaves it out. */
const asWritten = {
  Origin: 'AWS_KMS',
  Description: '',
  MultiRegion: false,
  BypassPolicyLockoutSafetyCheck: false,
} as const

/** With defaults; there is none for the usage of a key that is not for symmetric encryption. */
function requestedKind({ KeySpec, CustomerMasterKeySpec, KeyUsage }: Input<'CreateKey'>) {
  const spec = KeySpec ?? CustomerMasterKeySpec ?? 'SYMMETRIC_DEFAULT'
  return { spec, usage: KeyUsage ?? (spec === 'SYMMETRIC_DEFAULT' ? ('ENCRYPT_DECRYPT' as const) : undefined) }
}

function kindOf(input: Input<'CreateKey'>): Pick<Key, 'spec' | 'usage'> {
  const { KeySpec, CustomerMasterKeySpec } = input
  if (KeySpec !== undefined && CustomerMasterKeySpec !== undefined) {
    const text =
      'You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.'
    throw new Failure('Validation', text)
  }
  const { spec, usage } = requestedKind(input)
  if (usage === undefined) {
    const text = 'You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.'
    throw new Failure('Validation', text)
  }
  if (!keySpecs[spec].usages.includes(usage)) {
    throw new Failure('Validation', `KeyUsage ${usage} is not compatible with KeySpec ${spec}`)
  }
  return { spec, usage }
}
