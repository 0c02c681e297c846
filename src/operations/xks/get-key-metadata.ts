import type { Key } from '../../model/keys/key.ts'
import { keySpecs } from '../../model/keys/key-spec.ts'
import { keyState } from '../../model/keys/key-state.ts'
import type { MetadataResponse } from '../../model/xks/messages.ts'
import { type MetadataInput, operation } from './operation.ts'
import { type ExternalKeyTarget, externalKey } from './targets.ts'

export const getKeyMetadata = operation<MetadataInput, MetadataResponse, ExternalKeyTarget>({
  name: 'GetKeyMetadata',
  target: externalKey({ action: 'DescribeKey' }),
  async run({ target: { key }, storage }) {
    const state = keyState(key, storage.customKeyStores.ofKey(key))
    return { ...kindOf(key), keyStatus: state === 'Enabled' ? 'ENABLED' : 'DISABLED' }
  },
})

/** Whatever is no AES key is told as what it is, so that KMS refuses it. */
function kindOf({ spec, usage }: Key): Pick<MetadataResponse, 'keySpec' | 'keyUsage'> {
  if (keySpecs[spec].type === 'symmetric') return { keySpec: 'AES_256', keyUsage: ['ENCRYPT', 'DECRYPT'] }
  const usages = { ENCRYPT_DECRYPT: ['ENCRYPT', 'DECRYPT'], SIGN_VERIFY: ['SIGN', 'VERIFY'] }
  return { keySpec: spec, keyUsage: usages[usage as keyof typeof usages] ?? ['DERIVE'] }
}
