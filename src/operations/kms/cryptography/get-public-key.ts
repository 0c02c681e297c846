import type { CustomerMasterKeySpec } from '@aws-sdk/client-kms'
import { Failure } from '../../../errors.ts'
import { currentMaterial, objectOf } from '../../../model/keys/key.ts'
import { algorithmList } from '../../../model/keys/key-metadata.ts'
import { keySpecs } from '../../../model/keys/key-spec.ts'
import { whyUnsupportedOn } from '../../../vault/materials.ts'
import { operation } from '../operation.ts'
import { key } from '../targets.ts'

export const getPublicKey = operation('GetPublicKey')({
  readOnly: true,
  target: key({
    state: 'publicKey',
    byAlias: true,
    crossAccount: true,
    fits({ spec }) {
      if (keySpecs[spec].type !== 'asymmetric') throw new Failure('UnsupportedOperation')
    },
  }),
  recorded: ['KeyId'],
  async run({ target: { key }, hsms }) {
    return {
      KeyId: key.arn,
      // A copy: the output is wiped, and this array belongs to storage.
      PublicKey: Uint8Array.from(objectOf(currentMaterial(key)).publicKey!),
      CustomerMasterKeySpec: key.spec as CustomerMasterKeySpec,
      KeySpec: key.spec,
      KeyUsage: key.usage,
      ...algorithmList(key, whyUnsupportedOn(hsms, key)),
    }
  },
})
