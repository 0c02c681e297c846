/** Clients that create keys and use them at once, while others use older keys, like Terraform with its ten parallel resources. */
import type { KMS } from '@aws-sdk/client-kms'

export interface Outcome {
  /** Keys that were created. */
  readonly created: number
  /** Round trips with a key. */
  readonly used: number
  /** Wrong answers. */
  readonly failures: readonly string[]
}

const Plaintext = Buffer.from('text')

/** @param seconds after which no new calls are started */
export async function createAndUse(kms: KMS, creators: number, users: number, seconds: number): Promise<Outcome> {
  const end = performance.now() + seconds * 1000
  const failures: string[] = []
  let [created, used] = [0, 0]
  const roundTrip = async (KeyId: string) => {
    const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext })
    const opened = await kms.decrypt({ CiphertextBlob })
    if (!Plaintext.equals(opened.Plaintext!)) failures.push('another plaintext')
    used++
  }
  const create = async () => {
    const { KeyMetadata } = await kms.createKey({})
    created++
    return KeyMetadata!.KeyId!
  }
  const repeat = async (work: () => Promise<void>) => {
    while (performance.now() < end) await work().catch(error => failures.push(String(error)))
  }
  const old = await Promise.all(Array.from({ length: users }, create))
  await Promise.all([
    ...Array.from({ length: creators }, () =>
      repeat(async () => {
        const key = await create()
        for (let round = 0; round < 3; round++) await roundTrip(key)
      }),
    ),
    ...old.map(key => repeat(() => roundTrip(key))),
  ])
  return { created, used, failures }
}
