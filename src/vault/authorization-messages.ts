/** Why a caller was refused, for those who may know it: sealed, as the caller is told more than it may read. STS API Reference, "DecodeAuthorizationMessage". */
import type { AccessDenied } from '../errors.ts'
import { type Caller, queueOf } from '../model/identities/caller.ts'
import { sealingHsm, sealToken, unsealToken, type Vault } from './sealed-tokens.ts'

/** Bytes. Sealed and in base64, a message fits EncodedMessage of DecodeAuthorizationMessage. */
const longest = 7000

/** Only principals of the account can decode its messages. */
function contextOf(account: string) {
  return { purpose: 'authorization message', account }
}

/**
 * Resolves to the encoded message; undefined for a resource of another account, whose policies nobody of the caller's account may know.
 *
 * In the form of AWS, with `reasons` in place of the statements and condition values.
 */
export async function sealAuthorizationMessage(
  { refusal }: AccessDenied,
  caller: Caller,
  { storage, hsms }: Vault,
): Promise<string | undefined> {
  const { action, resource = '*', reasons, explicitDeny } = refusal
  const owner = resource.split(':')[4] ?? caller.account
  if (action === undefined || owner !== caller.account) return undefined
  const principal = { id: caller.principalId, arn: caller.arn }
  const messageWith = (count: number) =>
    Buffer.from(
      JSON.stringify({
        allowed: false,
        explicitDeny: explicitDeny ?? false,
        reasons: reasons.slice(0, count),
        context: { principal, action, resource },
      }),
    )
  let count = reasons.length
  while (count > 0 && messageWith(count).length > longest) count--
  const ofCaller = hsms.for(queueOf(caller))
  const hsm = sealingHsm(caller.region, ofCaller).name
  return sealToken(messageWith(count), contextOf(caller.account), hsm, { storage, hsms: ofCaller })
}

/** Resolves to the message, JSON; undefined unless it was sealed here for this account. */
export async function unsealAuthorizationMessage(
  text: string,
  account: string,
  vault: Vault,
): Promise<string | undefined> {
  const message = await unsealToken(text, contextOf(account), vault)
  return message && Buffer.from(message.buffer, message.byteOffset, message.byteLength).toString()
}
