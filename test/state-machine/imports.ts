/** Key material comes from callers, and goes again. */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import type { GetParametersForImportResponse, ImportKeyMaterialRequest, ImportType } from '@aws-sdk/client-kms'
import fc from 'fast-check'
import type { WrappingAlgorithm } from '../../src/model/keys/wrapping-algorithm.ts'
import { wrapMaterial } from '../contracts/wrapping.ts'
import { type Deed, deed } from './deed.ts'
import { type Inputs, oneOf, someDays, type Weighted } from './draws.ts'
import { day, type Kind, type ModelKey } from './model.ts'
import type { Step, World } from './world.ts'

/** Material that callers have, by key spec: the same for all keys, as keys with the same material must not understand each other. */
const secrets = new Map<string, readonly Uint8Array[]>()

export function secretOf({ KeySpec }: Kind, number: number): Uint8Array {
  if (!secrets.has(KeySpec))
    secrets.set(
      KeySpec,
      [0, 1, 2].map(() => newSecret(KeySpec)),
    )
  return secrets.get(KeySpec)![number]!
}

function newSecret(spec: Kind['KeySpec']): Uint8Array {
  const format = { format: 'der', type: 'pkcs8' } as const
  if (spec === 'RSA_2048') return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export(format)
  if (spec === 'ECC_NIST_P256') return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export(format)
  return randomBytes(32)
}

const algorithms: readonly WrappingAlgorithm[] = ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256']
const algorithmsOfPairs: readonly WrappingAlgorithm[] = ['RSA_AES_KEY_WRAP_SHA_1', 'RSA_AES_KEY_WRAP_SHA_256']

/** One that fits. */
export function algorithmOf({ KeySpec }: Kind, number: number): WrappingAlgorithm {
  const isPair = KeySpec === 'RSA_2048' || KeySpec === 'ECC_NIST_P256'
  return oneOf(isPair ? algorithmsOfPairs : algorithms, number)!
}

/** Material as a request has it. */
export function importRequest(
  KeyId: string,
  { ImportToken, PublicKey }: GetParametersForImportResponse,
  algorithm: WrappingAlgorithm,
  material: Uint8Array,
  { ImportType, validTo }: { readonly ImportType: ImportType | undefined; readonly validTo: number | undefined },
): ImportKeyMaterialRequest {
  return {
    KeyId,
    ImportToken: ImportToken!,
    EncryptedKeyMaterial: wrapMaterial(PublicKey!, algorithm, material),
    ...(validTo === undefined
      ? { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' }
      : { ExpirationModel: 'KEY_MATERIAL_EXPIRES', ValidTo: new Date(validTo) }),
    ...(ImportType && { ImportType }),
  }
}

export interface Import {
  readonly secret: number
  readonly type: ImportType | undefined
  readonly days: number | undefined
  readonly algorithm: number
}

export const importInputs: Inputs<Import> = {
  secret: fc.constantFrom(0, 0, 1, 2),
  type: fc.constantFrom(undefined, undefined, 'NEW_KEY_MATERIAL', 'EXISTING_KEY_MATERIAL'),
  days: fc.option(someDays, { nil: undefined }),
  algorithm: fc.nat(1),
}

async function planImport(
  world: World,
  { arn: KeyId, kind, isSymmetric }: ModelKey,
  input: Import,
): Promise<Step | undefined> {
  const { secret, type, days, algorithm } = input
  const WrappingAlgorithm = algorithmOf(kind, algorithm)
  let parameters: GetParametersForImportResponse
  const refused = await world.take({
    call: async kms => {
      parameters = await kms.getParametersForImport({ KeyId, WrappingAlgorithm, WrappingKeySpec: 'RSA_2048' })
    },
    decide: ({ keys }) => keys.get(KeyId)!.noImport,
  })
  if (refused !== undefined) return undefined
  const validTo = days === undefined ? undefined : world.now + days * day
  const ImportType = isSymmetric ? type : undefined
  return {
    call: kms => {
      const request = { ImportType, validTo }
      return kms.importKeyMaterial(importRequest(KeyId, parameters, WrappingAlgorithm, secretOf(kind, secret), request))
    },
    decide: ({ keys }) => keys.get(KeyId)!.import(secret, ImportType, validTo),
  }
}

export const imports: Weighted<Deed> = [
  [6, deed('import', importInputs, planImport)],
  [
    2,
    deed('DeleteImportedKeyMaterial', { which: fc.option(fc.nat(3), { nil: undefined }) }, (world, key, { which }) => {
      const material = which === undefined || !key.isSymmetric ? undefined : oneOf(key.listed, which)
      const KeyMaterialId = material && world.idOf(material.name)
      return {
        call: kms => kms.deleteImportedKeyMaterial({ KeyId: key.arn, ...(KeyMaterialId && { KeyMaterialId }) }),
        decide: ({ keys }) => keys.get(key.arn)!.deleteMaterial(material?.name),
      }
    }),
  ],
]
