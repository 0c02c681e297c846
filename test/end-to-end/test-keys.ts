/** Keys of many kinds, created in parallel, as RSA key generation is slow. */
import { createPublicKey, type KeyObject } from 'node:crypto'
import type { KeySpec, KeyUsageType, KMS } from '@aws-sdk/client-kms'

export interface TestKey {
  readonly KeyId: string
  readonly Arn: string
  readonly spec: KeySpec
  readonly usage: KeyUsageType
}

export type Kinds<N extends string> = Readonly<Record<N, readonly [KeySpec, KeyUsageType]>>

export async function makeKeys<N extends string>(kms: KMS, kinds: Kinds<N>): Promise<Readonly<Record<N, TestKey>>> {
  const names = Object.keys(kinds) as N[]
  const made = await Promise.all(
    names.map(async name => {
      const [spec, usage] = kinds[name]
      const { KeyMetadata } = await kms.createKey({ KeySpec: spec, KeyUsage: usage })
      return [name, { KeyId: KeyMetadata!.KeyId!, Arn: KeyMetadata!.Arn!, spec, usage }] as const
    }),
  )
  return Object.fromEntries(made) as Record<N, TestKey>
}

/** The public half of a key, as OpenSSL reads it. */
export async function publicKeyOf(kms: KMS, { KeyId }: Pick<TestKey, 'KeyId'>): Promise<KeyObject> {
  return spki((await kms.getPublicKey({ KeyId })).PublicKey!)
}

export function spki(der: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' })
}
