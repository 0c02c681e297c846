/** The way to a logged-in session: loads the library, finds the token, logs in once. Runs in processes of its own only. */
import { setTimeout as delay } from 'node:timers/promises'
import { OperatorError } from '../../errors.ts'
import type { Profile } from '../profiles/profile.ts'
import { CryptokiError, classOf } from '../return-codes.ts'
import type { PinSource, TokenAddress } from '../wire/token-address.ts'
import { Cryptoki, type Handle, type SlotToken, userType } from './cryptoki.ts'
import { wasDoneBefore } from './native-call.ts'
import { placeOf, readPin } from './pin.ts'

/** One thread's connection to a token. The login is the whole process's. */
export class Connection {
  readonly cryptoki: Cryptoki
  readonly slot: Handle
  readonly #pin: PinSource
  #session: Handle | undefined

  constructor(cryptoki: Cryptoki, slot: Handle, pin: PinSource) {
    this.cryptoki = cryptoki
    this.slot = slot
    this.#pin = pin
  }

  /** Opened when it is first needed; stays open for as long as the process lives: closing the last session logs out. */
  get session(): Handle {
    this.#session ??= this.cryptoki.openSession(this.slot)
    return this.#session
  }

  /** Opens another session where this one was lost. */
  keepSession(): void {
    const session = this.#session
    if (session === undefined) return
    try {
      this.cryptoki.isLoggedIn(session)
    } catch {
      this.#session = this.cryptoki.openSession(this.slot)
      this.cryptoki.discardSession(session)
    }
  }

  /** Tries the PIN once. Throws PinRefused when the token refuses it. */
  logIn(): void {
    this.keepSession()
    login(this.cryptoki, this.session, this.#pin)
  }
}

/** The PIN was tried and refused. Trying it again may lock the token. */
export class PinRefused extends OperatorError {
  override readonly name = 'PinRefused'
}

/** Rejects with an OperatorError of one line. @param initialised called when the library has been loaded and initialised */
export async function connect(
  address: TokenAddress,
  pin: PinSource,
  profile: Profile,
  initialised: () => void,
): Promise<Connection> {
  const cryptoki = loadLibrary(address)
  initialised()
  const { slot } = await findToken(cryptoki, address, profile)
  try {
    const connection = new Connection(cryptoki, slot, pin)
    connection.logIn()
    return connection
  } catch (error) {
    throw explained(error, 'cannot log in to the HSM')
  }
}

export function loadLibrary({ library, libraryParameters }: TokenAddress): Cryptoki {
  let cryptoki: Cryptoki
  try {
    cryptoki = Cryptoki.load(library)
  } catch (error) {
    throw new OperatorError(`cannot load the PKCS#11 library: ${(error as Error).message}`, { cause: error })
  }
  initialise(cryptoki, libraryParameters)
  return cryptoki
}

function initialise(cryptoki: Cryptoki, parameters: string | undefined): void {
  try {
    cryptoki.initialise(parameters)
  } catch (error) {
    if (!wasDoneBefore(error)) throw explained(error, 'cannot initialize the PKCS#11 library, check its configuration')
  }
}

/** Rejects with an OperatorError that names the tokens that are there. */
export async function findToken(cryptoki: Cryptoki, address: TokenAddress, profile: Profile): Promise<SlotToken> {
  let seen: readonly SlotToken[] = []
  for (let search = 1; search <= profile.tokenSearchAttempts; search++) {
    if (search > 1) {
      // Only a newly initialised library reads the token's file again; different pauses keep two processes apart.
      await delay(20 + Math.random() * 50)
      cryptoki.finalise()
      initialise(cryptoki, address.libraryParameters)
    }
    seen = tokens(cryptoki)
    const found = seen.filter(token => fits(token, address))
    if (found.length > 1)
      throw new OperatorError(`several tokens with ${described(address)}: choose one by serial number`)
    if (found[0] !== undefined) return found[0]
  }
  const labels = seen.map(({ label, serial }) => `"${label}" (serial ${serial})`)
  throw new OperatorError(`no token with ${described(address)}: found ${labels.join(', ') || 'none'}`)
}

/** Initialised tokens. One that cannot be read now is left out: SoftHSM fails so while another process logs in. */
export function tokens(cryptoki: Cryptoki): readonly SlotToken[] {
  return cryptoki.slots().flatMap(slot => {
    try {
      const token = cryptoki.tokenIn(slot)
      return token.label === '' ? [] : [token]
    } catch (error) {
      if (error instanceof CryptokiError) return []
      throw error
    }
  })
}

function fits(token: SlotToken, { tokenLabel, tokenSerial }: TokenAddress): boolean {
  return (tokenLabel ?? token.label) === token.label && (tokenSerial ?? token.serial) === token.serial
}

function described({ tokenLabel, tokenSerial }: TokenAddress): string {
  const label = tokenLabel === undefined ? [] : [`label "${tokenLabel}"`]
  const serial = tokenSerial === undefined ? [] : [`serial "${tokenSerial}"`]
  return [...label, ...serial].join(' and ')
}

/** Tries the PIN once. Throws PinRefused when the token refuses it. */
export function login(cryptoki: Cryptoki, session: Handle, source: PinSource): void {
  const pin = readPin(source)
  try {
    cryptoki.login(session, userType.user, pin)
  } catch (error) {
    if (wasDoneBefore(error)) return
    if (error instanceof CryptokiError && classOf(error.code) === 'pinRefused') {
      throw new PinRefused(
        `the token refused the PIN in ${placeOf(source)} (${error.returnCode}): correct it and restart, it is not tried again`,
        {
          cause: error,
        },
      )
    }
    throw error
  }
}

function explained(error: unknown, what: string): unknown {
  return error instanceof CryptokiError ? new OperatorError(`${what}: ${error.message}`, { cause: error }) : error
}
