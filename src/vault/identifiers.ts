/** Identifiers of KMS keys; identifiers and secrets of IAM: IAM User Guide, "IAM identifiers", "Unique identifiers". */
import { randomBytes, randomUUID } from 'node:crypto'
import type { Hsm } from '../services.ts'

/** KMS Developer Guide, "Key identifiers (KeyId)". */
export function newKeyId(multiRegion: boolean): string {
  const uuid = randomUUID()
  return multiRegion ? `mrk-${uuid.replaceAll('-', '')}` : uuid
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** Characters after the prefix. XKSA is ours, of an XKS credential: AWS KMS wants 20 to 30 of A-Z and 2-7. */
const lengths = { AIDA: 17, AROA: 17, AGPA: 17, ANPA: 17, AKIA: 16, ASIA: 16, XKSA: 22 } as const

type Prefix = keyof typeof lengths

/** An identifier that nothing else has, by the random number generator of an HSM. */
export async function randomIdentifier(prefix: Prefix, hsm: Pick<Hsm, 'random'>): Promise<string> {
  return identifier(prefix, await hsm.random(lengths[prefix]))
}

/** One without an HSM, as it is no secret: a file may make thousands of identities. */
export function newUniqueId(prefix: Prefix): string {
  return identifier(prefix, randomBytes(lengths[prefix]))
}

function identifier(prefix: Prefix, random: Uint8Array): string {
  return prefix + Array.from(random, byte => alphabet[byte % alphabet.length]).join('')
}

/** A secret access key. */
export async function randomSecret(hsm: Pick<Hsm, 'random'>): Promise<string> {
  return Buffer.from(await hsm.random(30)).toString('base64')
}

/** The secret access key of an XKS credential: AWS KMS wants 43 to 64 characters with 256 bits of entropy or more. */
export async function randomXksSecret(hsm: Pick<Hsm, 'random'>): Promise<string> {
  return Buffer.from(await hsm.random(36)).toString('base64')
}
