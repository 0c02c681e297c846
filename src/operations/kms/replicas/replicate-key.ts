import { Failure } from '../../../errors.ts'
import { keyArn, partitionOf } from '../../../model/arn.ts'
import type { FurtherEvent } from '../../../model/further-event.ts'
import { checkKeyKind } from '../../../model/keys/ability.ts'
import { defaultKeyPolicy, type Key, type Tag } from '../../../model/keys/key.ts'
import { keyConditions } from '../../../model/keys/key-condition-keys.ts'
import { keyMetadata } from '../../../model/keys/key-metadata.ts'
import { replicaOf } from '../../../model/keys/multi-region.ts'
import { addTags } from '../../../model/keys/tags.ts'
import { destroyUncommitted, whyUnsupportedOn } from '../../../vault/materials.ts'
import { replicatedObjects } from '../../../vault/replicas.ts'
import { operation } from '../operation.ts'
import { replication } from '../replication-targets.ts'

/** Done when it is answered: the replica can be used, or material be imported into it. */
export const replicateKey = operation('ReplicateKey')({
  readOnly: false,
  target: replication,
  conditionKeys: {
    'kms:ReplicaRegion': ({ input, action }) => (action === 'ReplicateKey' ? input.ReplicaRegion : undefined),
  },
  recorded: ['KeyId', 'ReplicaRegion', 'Policy', 'BypassPolicyLockoutSafetyCheck', 'Description', 'Tags'],
  recordedDefaults: () => ({ BypassPolicyLockoutSafetyCheck: false, Description: '' }),
  recordedOutput: ['ReplicaKeyMetadata', 'ReplicaPolicy', 'ReplicaTags'],
  async run({ input, target: { key: primary }, caller, storage, hsms, changes, clock, checkKeyPolicy }) {
    const { ReplicaRegion: region, Description: description = '' } = input
    const { account, id, spec, usage } = primary
    const arn = keyArn({ account, region }, id)
    if (storage.keys.find(arn)) throw new Failure('AlreadyExists', `${arn} already exists.`)
    const hsm = hsms.ofRegion(region)
    checkKeyKind(ability => hsm.whyUnsupported(ability), spec, usage)
    const policy = input.Policy ?? defaultKeyPolicy(account, partitionOf(region))
    const tags = addTags([], (input.Tags ?? []) as Tag[])
    const own = { description, tags, policy, creationDate: clock() }
    const draft = replicaOf(primary, region, own, new Map())
    const conditions = keyConditions({ key: draft, account, alias: undefined, caller, storage })
    const policyPrincipals = checkKeyPolicy({
      text: policy,
      keyArn: arn,
      account,
      caller,
      bypassLockoutSafetyCheck: input.Policy === undefined || (input.BypassPolicyLockoutSafetyCheck ?? false),
      context: name => (name === 'aws:requestedregion' ? [region] : conditions(name)),
    })
    const objects = await replicatedObjects(primary, region, { hsms, storage, changes })
    const replica = replicaOf(primary, region, { ...own, policyPrincipals }, objects)
    changes.put('keys', replica)
    // A change of what they share, or the deletion of the primary key, meanwhile: of the two, one is decided again.
    changes.put('keys', primary)
    changes.events.push(creationOf(replica))
    return {
      ReplicaKeyMetadata: keyMetadata(replica, whyUnsupportedOn(hsms, replica), {
        related: storage.keys.related(replica),
      }),
      ReplicaPolicy: policy,
      ReplicaTags: tags.length === 0 ? undefined : [...tags],
    }
  },
  undo: destroyUncommitted,
})

/** CreateKey in the region of the replica. */
function creationOf({ arn, spec, usage, origin }: Key): FurtherEvent {
  const kind = { keySpec: spec, customerMasterKeySpec: spec, keyUsage: usage, origin, multiRegion: true }
  return {
    name: 'CreateKey',
    resource: arn,
    members({ requestParameters, responseElements }) {
      const { keyId, replicaRegion, ...own } = requestParameters ?? {}
      const keyMetadata = responseElements?.replicaKeyMetadata
      return { requestParameters: { ...kind, ...own }, responseElements: { keyId: arn, keyMetadata } }
    },
  }
}
