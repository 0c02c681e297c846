/** Puts a public key on the token that its security officer trusts. */
import { OperatorError } from '../../errors.ts'
import { CryptokiError, classOf } from '../return-codes.ts'
import type { TrustArgument } from '../trust.ts'
import { findToken, loadLibrary } from './connection.ts'
import { type Cryptoki, type Handle, userType } from './cryptoki.ts'
import { keyMechanisms } from './mechanisms.ts'
import { readPin } from './pin.ts'
import { publicKeyAttributes } from './public-keys.ts'
import { trustedTemplate } from './templates.ts'
import { trustedKeys } from './trusted-wrapping.ts'

const rsa = keyMechanisms.RSA_3072!

/** Rejects with an OperatorError of one line. Does not log in if the token has the trusted key already. */
export async function trust(argument: TrustArgument): Promise<'created' | 'present'> {
  const { profile, object, label, securityOfficerPinFile } = argument
  const publicKey = Buffer.from(argument.publicKey, 'base64')
  const cryptoki = loadLibrary(argument, profile)
  const { slot } = await findToken(cryptoki, argument, profile)
  const session = cryptoki.openSession(slot)
  const isTrusted = () => trustedKeys({ cryptoki, session }, publicKey).length > 0
  if (isTrusted()) return 'present'
  logIn(cryptoki, session, securityOfficerPinFile)
  const template = trustedTemplate(rsa, { id: Buffer.from(object, 'hex'), label, profile })
  const created = create(cryptoki, session, [...template, ...publicKeyAttributes(rsa, publicKey)])
  if (isTrusted()) return 'created'
  cryptoki.destroyObject(session, created)
  throw new OperatorError(`the token created the public key without CKA_TRUSTED: ${remedy}`)
}

const remedy = "let its security officer mark the key as trusted with the vendor's tools"

/** Tries the PIN once. */
function logIn(cryptoki: Cryptoki, session: Handle, pinFile: string): void {
  const pin = readPin({ pinFile })
  try {
    cryptoki.login(session, userType.securityOfficer, pin)
  } catch (error) {
    if (!(error instanceof CryptokiError)) throw error
    const what = `the token refused the PIN of the security officer in ${pinFile} (${error.returnCode})`
    const then = error.returnCode === 'CKR_USER_TYPE_INVALID' ? remedy : 'it is not tried again'
    if (classOf(error.code) === 'pinRefused') throw new OperatorError(`${what}: ${then}`, { cause: error })
    throw new OperatorError(`the security officer cannot log in (${error.returnCode})`, { cause: error })
  }
}

function create(cryptoki: Cryptoki, session: Handle, template: Parameters<Cryptoki['createObject']>[1]): Handle {
  try {
    return cryptoki.createObject(session, template)
  } catch (error) {
    if (!(error instanceof CryptokiError)) throw error
    throw new OperatorError(`the token refused a trusted public key (${error.returnCode}): ${remedy}`, { cause: error })
  }
}
