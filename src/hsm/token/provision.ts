/** Creates a token and sets its user PIN. */
import pkcs11js from 'pkcs11js'
import { OperatorError } from '../../errors.ts'
import type { ProvisionArgument } from '../provision.ts'
import { loadLibrary, tokens } from './connection.ts'
import { type Cryptoki, userType } from './cryptoki.ts'
import type { SlotToken } from './information.ts'
import { readPin } from './pin.ts'

/** Completes a token that an interrupted run left behind; does not change a complete one. */
export function provision(options: ProvisionArgument): 'created' | 'present' {
  const { tokenLabel, pinFile, securityOfficerPinFile } = options
  const cryptoki = loadLibrary(options, options)
  const present = find(cryptoki, tokenLabel)
  if (present !== undefined && (present.flags & pkcs11js.CKF_USER_PIN_INITIALIZED) !== 0) return 'present'
  const securityOfficerPin = readPin({ pinFile: securityOfficerPinFile })
  const pin = readPin({ pinFile })
  if (present === undefined) cryptoki.initialiseToken(emptySlot(cryptoki), securityOfficerPin, tokenLabel)
  // Looked up again: a token may move to another slot when it is initialised.
  setPin(cryptoki, find(cryptoki, tokenLabel)!, securityOfficerPin, pin)
  return 'created'
}

function find(cryptoki: Cryptoki, label: string): SlotToken | undefined {
  return tokens(cryptoki).find(token => token.label === label)
}

function emptySlot(cryptoki: Cryptoki): Buffer {
  const isEmpty = (slot: Buffer) => (cryptoki.tokenIn(slot).flags & pkcs11js.CKF_TOKEN_INITIALIZED) === 0
  const slot = cryptoki.slots().find(isEmpty)
  if (slot === undefined) throw new OperatorError('no slot with an uninitialized token')
  return slot
}

function setPin(cryptoki: Cryptoki, { slot }: SlotToken, securityOfficerPin: string, pin: string): void {
  const session = cryptoki.openSession(slot)
  cryptoki.login(session, userType.securityOfficer, securityOfficerPin)
  cryptoki.initialisePin(session, pin)
}
