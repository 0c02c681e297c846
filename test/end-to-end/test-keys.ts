/** Keys of many kinds. */
import { createPublicKey, type KeyObject } from 'node:crypto'
import type { KeySpec, KeyUsageType, KMS } from '@aws-sdk/client-kms'

export interface TestKey {
  readonly KeyId: string
  readonly Arn: string
  readonly spec: KeySpec
  readonly usage: KeyUsageType
}

export type Kinds<N extends string> = Readonly<Record<N, readonly [KeySpec, KeyUsageType]>>

/** One after another: the HSM has one worker, and those that wait for RSA keys of others on a busy machine would exceed their time-out. */
export async function makeKeys<N extends string>(kms: KMS, kinds: Kinds<N>): Promise<Readonly<Record<N, TestKey>>> {
  const made = {} as Record<N, TestKey>
  for (const name of Object.keys(kinds) as N[]) {
    const [spec, usage] = kinds[name]
    const { KeyMetadata } = await kms.createKey({ KeySpec: spec, KeyUsage: usage })
    made[name] = { KeyId: KeyMetadata!.KeyId!, Arn: KeyMetadata!.Arn!, spec, usage }
  }
  return made
}

/** The public half of a key, as OpenSSL reads it. */
export async function publicKeyOf(kms: KMS, { KeyId }: Pick<TestKey, 'KeyId'>): Promise<KeyObject> {
  return spki((await kms.getPublicKey({ KeyId })).PublicKey!)
}

export function spki(der: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' })
}
