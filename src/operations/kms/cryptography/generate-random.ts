import { Failure } from '../../../errors.ts'
import { operation } from '../operation.ts'
import { account } from '../targets.ts'

export const generateRandom = operation('GenerateRandom')({
  readOnly: true,
  target: account(),
  recorded: ['NumberOfBytes', 'CustomKeyStoreId'],
  async run({ input, caller, hsms }) {
    if (input.NumberOfBytes === undefined) throw new Failure('Validation', 'NumberOfBytes is required.')
    if (input.CustomKeyStoreId !== undefined) {
      throw new Failure('UnsupportedOperation', 'Custom key stores are not supported by this gateway.')
    }
    return { Plaintext: await hsms.ofRegion(caller.region).random(input.NumberOfBytes) }
  },
})
