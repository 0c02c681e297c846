import { Failure } from '../../../errors.ts'
import { hsmOfNew } from '../../../vault/materials.ts'
import type { Target, TargetKind } from '../../operation.ts'
import { customKeyStore } from '../custom-key-store-targets.ts'
import { type Input, operation } from '../operation.ts'
import { account } from '../targets.ts'

/** Of a custom key store, if the request names one, which must be connected. */
const target: TargetKind<Input<'GenerateRandom'>, Target> = {
  find: (input, search) =>
    (input.CustomKeyStoreId === undefined ? account() : customKeyStore(() => 'use')).find(input, search),
}

export const generateRandom = operation('GenerateRandom')({
  readOnly: true,
  target,
  recorded: ['NumberOfBytes', 'CustomKeyStoreId'],
  async run({ input, caller, ...means }) {
    const { NumberOfBytes, CustomKeyStoreId: customKeyStoreId } = input
    if (NumberOfBytes === undefined) throw new Failure('Validation', 'NumberOfBytes is required.')
    const place = { region: caller.region, customKeyStoreId }
    if (means.storage.customKeyStores.ofKey(place)?.xks)
      throw new Failure('UnsupportedOperation', 'GenerateRandom is not supported for an external key store.')
    return { Plaintext: await hsmOfNew(place, means).random(NumberOfBytes) }
  },
})
