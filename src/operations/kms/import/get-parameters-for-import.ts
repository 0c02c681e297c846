import { checkAbilities, importAbility } from '../../../model/keys/ability.ts'
import { checkWrapping } from '../../../model/keys/wrapping-algorithm.ts'
import { importTokenLifetime, sealImportToken } from '../../../vault/import-tokens.ts'
import { destroyUncommitted } from '../../../vault/materials.ts'
import { importingHsm, wrappingKeyOf } from '../../../vault/wrapping-keys.ts'
import { operation } from '../operation.ts'
import { key } from '../targets.ts'

/** Though it may create a wrapping key, it changes nothing for the caller: CloudTrail calls it read-only. */
export const getParametersForImport = operation('GetParametersForImport')({
  readOnly: true,
  target: key({ origin: 'EXTERNAL', state: 'import' }),
  conditionKeys: {
    'kms:WrappingAlgorithm': ({ input }) => input.WrappingAlgorithm,
    'kms:WrappingKeySpec': ({ input }) => input.WrappingKeySpec,
  },
  recorded: ['KeyId', 'WrappingAlgorithm', 'WrappingKeySpec'],
  async run({ input: { WrappingAlgorithm, WrappingKeySpec }, target: { key }, clock, ...means }) {
    const { algorithm, wrappingSpec } = checkWrapping(key.spec, WrappingAlgorithm!, WrappingKeySpec!)
    const hsm = importingHsm(key, means)
    checkAbilities(ability => hsm.whyUnsupported(ability), [importAbility(key.spec, algorithm)])
    const now = clock()
    const wrappingKey = await wrappingKeyOf(key, wrappingSpec, now, means)
    const { id, publicKey } = wrappingKey.object
    const validTo = now + importTokenLifetime
    const token = { keyArn: key.arn, wrappingKey: id, algorithm, validTo }
    return {
      KeyId: key.arn,
      ImportToken: await sealImportToken(token, means.hsms.ofRegion(key.region).name, means),
      // A copy: the output is wiped, and this array belongs to storage.
      PublicKey: Uint8Array.from(publicKey!),
      ParametersValidTo: new Date(validTo),
    }
  },
  undo: destroyUncommitted,
})
