import { Failure } from '../../errors.ts'
import { unsealAuthorizationMessage } from '../../vault/authorization-messages.ts'
import { account, isUserSession, operation } from './operation.ts'

/** Of messages of this gateway for principals of the caller's account. */
export const decodeAuthorizationMessage = operation('DecodeAuthorizationMessage')({
  target: account,
  refuses: isUserSession,
  recorded: [],
  async run({ input: { EncodedMessage }, caller, ...vault }) {
    const DecodedMessage = await unsealAuthorizationMessage(EncodedMessage, caller.account, vault)
    if (DecodedMessage === undefined) throw new Failure('InvalidAuthorizationMessage', 'Message is not valid')
    return { DecodedMessage }
  },
})
