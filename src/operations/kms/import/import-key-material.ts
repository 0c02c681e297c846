import { Failure } from '../../../errors.ts'
import { withImported } from '../../../model/keys/imported-material.ts'
import { type Key, type KeyObject, materialsOf } from '../../../model/keys/key.ts'
import { keySpecs } from '../../../model/keys/key-spec.ts'
import { checkNoReplica } from '../../../model/keys/multi-region.ts'
import type { Services } from '../../../services.ts'
import { markForDestruction } from '../../../vault/destruction.ts'
import { unsealImportToken } from '../../../vault/import-tokens.ts'
import { destroyUncommitted, isSound, unwrapMaterial } from '../../../vault/materials.ts'
import { putShared } from '../../../vault/related-keys.ts'
import { type Input, operation } from '../operation.ts'
import { key } from '../targets.ts'

type ImportInput = Input<'ImportKeyMaterial'>

/** Milliseconds: KMS API Reference, "ImportKeyMaterial", ValidTo. */
const longestValidity = 365 * 24 * 60 * 60 * 1000

const expires = 'KEY_MATERIAL_EXPIRES'

export const importKeyMaterial = operation('ImportKeyMaterial')({
  readOnly: false,
  target: {
    find: (input: ImportInput, search) =>
      key({ origin: 'EXTERNAL', state: 'import', fits: key => checkMembers(key, input) }).find(input, search),
  },
  conditionKeys: {
    'kms:ExpirationModel': ({ input: { ExpirationModel = expires } }) => ExpirationModel,
    'kms:ValidTo': ({ input }) => input.ValidTo?.toISOString(),
  },
  recorded: ['KeyId', 'ValidTo', 'ExpirationModel', 'ImportType', 'KeyMaterialDescription', 'KeyMaterialId'],
  recordedDefaults: () => ({ ExpirationModel: expires }),
  recordedOutput: ['KeyId', 'KeyMaterialId'],
  async run({ input, target: { key }, storage, hsms, changes, clock }) {
    const now = clock()
    const validTo = validToOf(input, now)
    const { id, object } = await unwrapped(input, key, now, { storage, hsms })
    changes.created.push(object)
    const request = {
      type: input.ImportType,
      materialId: input.KeyMaterialId,
      description: input.KeyMaterialDescription,
      validTo,
    }
    const former = materialsOf(key).find(material => material.id === id)?.object
    // Calls may be about to use it.
    const isKept = former !== undefined && (await isSound(hsms, key, former))
    const used = isKept ? alsoBridged(former, object) : object
    const after = withImported(key, id, used, request, now)
    if (hasSameMaterials(key, after)) changes.put('keys', after)
    else putShared(changes, after, storage)
    if (former) markForDestruction(changes, [isKept ? object : former], key, storage)
    return { KeyId: key.arn, ...(keySpecs[key.spec].type === 'symmetric' && { KeyMaterialId: id }) }
  },
  recordedChange: ({ created }) => (created.some(({ custody }) => custody.bridged) ? { bridged: true } : undefined),
  undo: destroyUncommitted,
})

/** Related multi-Region keys have the same, though not of the same dates. */
function hasSameMaterials(key: Key, after: Key): boolean {
  return materialsOf(key).length === materialsOf(after).length
}

/** Who has seen the material once has seen it for good. */
function alsoBridged(kept: KeyObject, { custody }: KeyObject): KeyObject {
  return custody.bridged ? { ...kept, custody: { ...kept.custody, bridged: true } } : kept
}

async function unwrapped(
  { ImportToken, EncryptedKeyMaterial }: ImportInput,
  key: Key,
  now: number,
  { storage, hsms }: Pick<Services, 'storage' | 'hsms'>,
) {
  const { wrappingKey, algorithm } = await unsealImportToken(ImportToken!, key.arn, now, { storage, hsms })
  const found = storage.wrappingKeys.withObject(wrappingKey)
  if (found === undefined) throw new Failure('InvalidImportToken')
  const wrapped = { wrappingKey, wrappingSpec: found.spec, algorithm, bytes: EncryptedKeyMaterial! }
  try {
    return await unwrapMaterial(hsms.named(found.object.hsm), key, wrapped)
  } catch (thrown) {
    if (thrown instanceof Failure && thrown.code === 'InvalidState') throw lostWrappingKey(thrown)
    throw thrown
  }
}

/** As when the HSM was restored from a backup. The next day has another one. */
function lostWrappingKey(cause: Failure): Failure {
  const text = 'The HSM no longer has the wrapping key of the import token. Use another WrappingKeySpec.'
  return new Failure('InvalidImportToken', text, { cause })
}

/** Recorded on AWS, but for the last two texts. */
function validToOf({ ExpirationModel = expires, ValidTo }: ImportInput, now: number): number | undefined {
  if (ExpirationModel !== expires) {
    if (ValidTo === undefined) return undefined
    throw new Failure('Validation', `A validTo date cannot be set if the ExpirationModel is ${ExpirationModel}`)
  }
  if (ValidTo === undefined) {
    throw new Failure('Validation', `A validTo date must be set if the ExpirationModel is ${expires}`)
  }
  const time = ValidTo.getTime()
  if (time <= now) throw new Failure('Validation', 'The validTo date must be in the future.')
  if (time <= now + longestValidity) return time
  throw new Failure('Validation', 'The validTo date must be within 365 days from now.')
}

function checkMembers(key: Key, { ImportType, KeyMaterialId, KeyMaterialDescription }: ImportInput): void {
  if (ImportType === 'NEW_KEY_MATERIAL' && KeyMaterialId !== undefined) {
    throw new Failure('Validation', 'KeyMaterialId cannot be specified if the ImportType is NEW_KEY_MATERIAL')
  }
  if (ImportType === 'NEW_KEY_MATERIAL') checkNoReplica(key)
  if (keySpecs[key.spec].type === 'symmetric') return
  const given = Object.entries({ ImportType, KeyMaterialId, KeyMaterialDescription }).find(
    ([, value]) => value !== undefined,
  )
  if (given === undefined) return
  throw new Failure('Validation', `${given[0]} can only be specified for symmetric encryption KMS keys.`)
}
