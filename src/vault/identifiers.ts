/** Identifiers and secrets of IAM, from the random number generator of an HSM: IAM User Guide, "IAM identifiers", "Unique identifiers". */
import type { Hsm } from '../services.ts'

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** Characters after the prefix. */
const lengths = { AIDA: 17, AROA: 17, AKIA: 16, ASIA: 16 } as const

/** An identifier that nothing else has. */
export async function randomIdentifier(prefix: keyof typeof lengths, hsm: Pick<Hsm, 'random'>): Promise<string> {
  const bytes = await hsm.random(lengths[prefix])
  return prefix + Array.from(bytes, byte => alphabet[byte % alphabet.length]).join('')
}

/** A secret access key. */
export async function randomSecret(hsm: Pick<Hsm, 'random'>): Promise<string> {
  return Buffer.from(await hsm.random(30)).toString('base64')
}
