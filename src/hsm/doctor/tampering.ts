/** How a token answers invalid ciphertexts and signatures. */
import type { EncryptionAlgorithmSpec, SigningAlgorithmSpec } from '@aws-sdk/client-kms'
import { gcmTagLength } from '../profiles/profile.ts'
import { encryptOaep, oaepHash } from '../public-key-crypto.ts'
import { CryptokiError, failureFrom } from '../return-codes.ts'
import type { Connection } from '../token/connection.ts'
import { inSessionOfItsOwn } from '../token/probe.ts'
import { signing } from '../token/signatures.ts'
import { decryptOaep, open, seal, sign, verify } from '../token/steps.ts'
import type { Gcm } from '../wire/capabilities.ts'
import type { TrialKey } from './exercises.ts'

export interface Tampering {
  /** The token accepted it. */
  readonly forged: boolean
  /** Its return codes, other than those of the standard. */
  readonly codes: readonly string[]
}

const text = Buffer.from('text')

/** A wrong tag. */
export function tamperedSealing(connection: Connection, { key }: TrialKey, gcm: Gcm): Promise<Tampering> {
  const { cryptoki } = connection
  return inSessionOfItsOwn(connection, async session => {
    const sealed = await seal({ cryptoki, session, key }, gcm, text, text)
    sealed.ciphertext[sealed.ciphertext.length - gcmTagLength]! ^= 1
    return answerOf('C_Decrypt', async () => {
      await open({ cryptoki, session, key }, gcm, sealed, text)
      return true
    })
  })
}

/** An altered block of RSAES-OAEP, and one larger than the modulus. */
export async function tamperedBlocks(
  connection: Connection,
  { key, spki }: TrialKey,
  algorithm: EncryptionAlgorithmSpec,
): Promise<Tampering> {
  const { cryptoki } = connection
  const hash = oaepHash(algorithm)
  const block = encryptOaep(spki!, hash, text)
  block[block.length - 1]! ^= 1
  const answers: Tampering[] = []
  for (const wrong of [block, Buffer.alloc(block.length, 0xff)]) {
    const answer = await inSessionOfItsOwn(connection, session =>
      answerOf('C_Decrypt', async () => {
        await decryptOaep({ cryptoki, session, key }, hash, true, wrong)
        return true
      }),
    )
    answers.push(answer)
  }
  return { forged: answers.some(({ forged }) => forged), codes: answers.flatMap(({ codes }) => codes) }
}

/** The signature of another message. */
export function tamperedMessage(
  connection: Connection,
  { spec, key, publicKey }: TrialKey,
  algorithm: SigningAlgorithmSpec,
): Promise<Tampering> {
  const { cryptoki } = connection
  const [own, other] = [text, Buffer.from('another')].map(message => signing(spec, algorithm, 'RAW', message))
  return inSessionOfItsOwn(connection, async session => {
    const signature = await sign({ cryptoki, session, key }, own!)
    return answerOf('C_Verify', () => verify({ cryptoki, session, key: publicKey! }, other!, signature))
  })
}

/** @param wrong resolves to whether the token accepts it */
async function answerOf(name: 'C_Decrypt' | 'C_Verify', wrong: () => Promise<boolean>): Promise<Tampering> {
  try {
    return { forged: await wrong(), codes: [] }
  } catch (error) {
    if (!(error instanceof CryptokiError) || error.function !== name) throw error
    const isStandard = failureFrom(error).code === 'InvalidCiphertext'
    return { forged: false, codes: isStandard ? [] : [error.returnCode] }
  }
}
