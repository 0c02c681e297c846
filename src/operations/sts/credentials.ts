import type { Credentials } from '@aws-sdk/client-sts'
import type { Session } from '../../model/identities/session.ts'
import type { Services } from '../../services.ts'
import { randomIdentifier, randomSecret } from '../../vault/identifiers.ts'
import { sealingHsm } from '../../vault/sealed-tokens.ts'
import { sealSession } from '../../vault/session-tokens.ts'

/**
 * New temporary credentials. Rejects with PackedPolicyTooLarge if the session is too large.
 *
 * @param seconds the length of the session
 * @param region whose HSM seals the session token
 */
export async function issueCredentials(
  session: Pick<Session, 'principalId' | 'role'>,
  seconds: number,
  region: string,
  { hsms, storage, clock }: Pick<Services, 'hsms' | 'storage' | 'clock'>,
): Promise<Credentials> {
  const hsm = sealingHsm(region, hsms)
  const issuedAt = clock()
  // Whole seconds, as answers have them.
  const expiresAt = Math.floor(issuedAt / 1000 + seconds) * 1000
  const accessKeyId = await randomIdentifier('ASIA', hsm)
  const secret = await randomSecret(hsm)
  const token = await sealSession({ ...session, accessKeyId, secret, issuedAt, expiresAt }, hsm.name, { hsms, storage })
  return {
    AccessKeyId: accessKeyId,
    SecretAccessKey: secret,
    SessionToken: token,
    Expiration: new Date(expiresAt),
  }
}
