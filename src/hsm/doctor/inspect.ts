/** Finds out what an HSM can do, for an operator who wants to know why it does not. */
import { OperatorError } from '../../errors.ts'
import { runChild } from '../child.ts'
import { profileOf } from '../profiles/find-profile.ts'
import type { Profile } from '../profiles/profile.ts'
import type { LibraryInfo, SlotToken } from '../token/cryptoki.ts'
import type { PinSource, TokenAddress } from '../wire/token-address.ts'
import type { Survey } from './findings.ts'

export interface InspectOptions extends TokenAddress, PinSource {
  /** Name of a profile in profiles/, or absolute path of a file. */
  readonly profile: string
  /** The whole environment of the process that loads the library. */
  readonly environment: Readonly<Record<string, string>>
  /** Tries the PIN though an earlier try by someone was wrong: another one may lock the token. */
  readonly force?: boolean | undefined
}

/** What the process is told. */
export interface InspectArgument extends Omit<InspectOptions, 'environment' | 'profile'> {
  readonly profile: Profile
}

export type TokenReport = Omit<SlotToken, 'slot' | 'flags'>

/** As far as the inspection came: what is not there could not be found out. */
export interface HsmReport {
  readonly library?: LibraryInfo
  /** Every initialised token that the library shows. */
  readonly tokens?: readonly TokenReport[]
  /** The one that was asked for. */
  readonly token?: TokenReport
  /** `not tried`: an earlier wrong try is recorded on the token. */
  readonly pin?: 'accepted' | 'refused' | 'locked' | 'not tried'
  /** CKM_* names, or numbers where there is no name. */
  readonly mechanisms?: readonly string[]
  /** What was really done, with keys that lived in the session only. */
  readonly survey?: Survey
  /** Secret and private key objects on the token. */
  readonly keys?: number
  /** What keeps the gateway from using this HSM, one line each. */
  readonly problems: readonly string[]
}

/** Never rejects because of the HSM: what is wrong with it, even a crash of its library, is a problem in the report. */
export async function inspectHsm({ environment, ...options }: InspectOptions): Promise<HsmReport> {
  const argument: InspectArgument = { ...options, profile: profileOf(options.profile) }
  try {
    return await runChild('doctor/inspector', argument, environment)
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error
    return { problems: [error.message] }
  }
}
