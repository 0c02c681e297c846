/** Loads the library, finds the token and logs in. Never runs in the gateway process. */
import { setTimeout as delay } from 'node:timers/promises'
import { OperatorError } from '../../errors.ts'
import type { Profile } from '../profiles/profile.ts'
import { CryptokiError, classOf } from '../return-codes.ts'
import type { TokenAddress } from '../wire/token-address.ts'
import { Cryptoki, type Handle, userType } from './cryptoki.ts'
import type { SlotToken } from './information.ts'
import { wasDoneBefore } from './native-call.ts'
import { type Pin, placeOf, readPin, remedyOf } from './pin.ts'
import { softHsmLock } from './process-lock.ts'

/** The login applies to the whole process. */
export class Connection {
  readonly cryptoki: Cryptoki
  readonly slot: Handle
  /** That the token allows; undefined: unlimited, or unknown. Read once: SoftHSM cannot tell while another process logs in. */
  readonly maxSessions: number | undefined
  readonly #pin: Pin
  #session: Handle | undefined

  constructor(cryptoki: Cryptoki, { slot, maxSessions }: Pick<SlotToken, 'slot' | 'maxSessions'>, pin: Pin) {
    this.cryptoki = cryptoki
    this.slot = slot
    this.maxSessions = maxSessions
    this.#pin = pin
  }

  /** Opened on first use, and never closed: closing the last session logs out. */
  get session(): Handle {
    this.#session ??= this.cryptoki.openSession(this.slot)
    return this.#session
  }

  /** Replaces the session if it was lost. */
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

  /** Tries the PIN once. Throws PinRefused if the token refuses it. */
  logIn(): void {
    this.keepSession()
    login(this.cryptoki, this.session, this.#pin)
  }
}

/** The token refused the PIN. Another try may lock the token. */
export class PinRefused extends OperatorError {
  override readonly name = 'PinRefused'
}

/** No slot has the token. */
export class TokenNotFound extends OperatorError {
  override readonly name = 'TokenNotFound'
}

/** Rejects with an OperatorError of one line. @param initialised called when the library has been loaded and initialised */
export async function connect(
  address: TokenAddress,
  pin: Pin,
  profile: Profile,
  initialised: () => void,
): Promise<Connection> {
  const cryptoki = loadLibrary(address, profile)
  initialised()
  const token = await findToken(cryptoki, address, profile)
  // The library remembers its own change as read, and with it those of other processes that it has not read yet: it reads them now.
  if (profile.processLock) cryptoki.beforeWrite = () => void cryptoki.tokenIn(token.slot)
  try {
    const connection = new Connection(cryptoki, token, pin)
    connection.logIn()
    return connection
  } catch (error) {
    throw explained(error, 'cannot log in to the HSM')
  }
}

export function loadLibrary(
  { library, libraryParameters }: TokenAddress,
  { processLock }: Pick<Profile, 'processLock'>,
): Cryptoki {
  const lock = processLock ? softHsmLock(process.env.SOFTHSM2_CONF) : undefined
  let cryptoki: Cryptoki
  try {
    cryptoki = Cryptoki.load(library, lock)
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

/** Rejects with an OperatorError that lists the tokens found. */
export async function findToken(cryptoki: Cryptoki, address: TokenAddress, profile: Profile): Promise<SlotToken> {
  let seen: readonly SlotToken[] = []
  for (let search = 1; search <= profile.tokenSearchAttempts; search++) {
    if (search > 1) {
      // The library reads the token's file only when it is initialised. Random pauses keep two processes from colliding again.
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
  throw new TokenNotFound(`no token with ${described(address)}: found ${labels.join(', ') || 'none'}`)
}

/** Initialised tokens. Skips a token that cannot be read now, as happens with SoftHSM while another process logs in. */
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

/** Tries the PIN once. Throws PinRefused if the token refuses it. */
export function login(cryptoki: Cryptoki, session: Handle, source: Pin): void {
  const pin = readPin(source)
  try {
    cryptoki.login(session, userType.user, pin)
  } catch (error) {
    if (wasDoneBefore(error)) return
    if (error instanceof CryptokiError && classOf(error.code) === 'pinRefused') {
      throw new PinRefused(
        `the token refused the PIN in ${placeOf(source)} (${error.returnCode}): ${remedyOf(source)}, it is not tried again`,
        { cause: error },
      )
    }
    throw error
  }
}

function explained(error: unknown, what: string): unknown {
  return error instanceof CryptokiError ? new OperatorError(`${what}: ${error.message}`, { cause: error }) : error
}
