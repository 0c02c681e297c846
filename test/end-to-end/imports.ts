/** Key material for a running gateway, wrapped with OpenSSL. */
import type {
  AlgorithmSpec,
  ImportKeyMaterialRequest,
  KeySpec,
  KeyUsageType,
  KMS,
  WrappingKeySpec,
} from '@aws-sdk/client-kms'
import type { WrappingAlgorithm } from '../../src/model/keys/wrapping-algorithm.ts'
import { wrapMaterial } from '../contracts/wrapping.ts'
import type { RunningGateway } from '../state-machine/running-gateway.ts'

export interface Way {
  readonly WrappingAlgorithm: AlgorithmSpec
  readonly WrappingKeySpec: WrappingKeySpec
}

export const plainly: Way = { WrappingAlgorithm: 'RSAES_OAEP_SHA_1', WrappingKeySpec: 'RSA_2048' }
export const forever = { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' } as const

/** Resolves to the ARN of a key without material. */
export async function created(
  { kms }: RunningGateway,
  KeySpec: KeySpec = 'SYMMETRIC_DEFAULT',
  KeyUsage: KeyUsageType = 'ENCRYPT_DECRYPT',
): Promise<string> {
  const { KeyMetadata } = await kms.createKey({ Origin: 'EXTERNAL', KeySpec, KeyUsage })
  return KeyMetadata!.Arn!
}

/** Clients of its Regions. */
export type Regional = Pick<RunningGateway, 'kmsIn'>

/** The client of the Region of an ARN. */
export function clientFor(gateway: Regional, arn: string): KMS {
  return gateway.kmsIn(arn.split(':')[3])
}

/** @param KeyId ARN */
export async function wrapped(gateway: Regional, KeyId: string, material: Buffer, way: Way = plainly) {
  const { ImportToken, PublicKey } = await clientFor(gateway, KeyId).getParametersForImport({ KeyId, ...way })
  const EncryptedKeyMaterial = wrapMaterial(PublicKey!, way.WrappingAlgorithm as WrappingAlgorithm, material)
  return { KeyId, ImportToken: ImportToken!, EncryptedKeyMaterial }
}

export async function imported(
  gateway: Regional,
  KeyId: string,
  material: Buffer,
  rest: Partial<ImportKeyMaterialRequest> = forever,
  way?: Way,
) {
  const request = { ...(await wrapped(gateway, KeyId, material, way)), ...rest }
  return clientFor(gateway, KeyId).importKeyMaterial(request)
}

export async function metadata(gateway: Regional, KeyId: string) {
  return (await clientFor(gateway, KeyId).describeKey({ KeyId })).KeyMetadata!
}
