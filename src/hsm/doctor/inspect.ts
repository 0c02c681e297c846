/** Inspects an HSM in a process of its own, for the command doctor. */
import { OperatorError } from '../../errors.ts'
import { runChild } from '../child.ts'
import { profileOf } from '../profiles/find-profile.ts'
import type { Profile } from '../profiles/profile.ts'
import type { LibraryInfo, SlotToken } from '../token/information.ts'
import type { PinSource, TokenAddress } from '../wire/token-address.ts'
import type { Survey } from './findings.ts'

export interface InspectOptions extends TokenAddress, PinSource {
  /** Name of a profile in profiles/, or absolute path of a file. */
  readonly profile: string
  /** The whole environment of the process that loads the library. */
  readonly environment: Readonly<Record<string, string>>
  /** Tries the PIN even if the token reports an earlier wrong try: another one may lock it. */
  readonly force?: boolean | undefined
}

/** What the process is told. */
export interface InspectArgument extends Omit<InspectOptions, 'environment' | 'profile'> {
  readonly profile: Profile
}

export type TokenReport = Omit<SlotToken, 'slot' | 'flags' | 'maxSessions'>

/** As far as the inspection got. */
export interface HsmReport {
  readonly library?: LibraryInfo
  /** Every initialised token of the library. */
  readonly tokens?: readonly TokenReport[]
  /** The configured one. */
  readonly token?: TokenReport
  /** `not tried`: the token reports an earlier wrong try. */
  readonly pin?: 'accepted' | 'refused' | 'locked' | 'not tried'
  /** CKM_* names, or numbers where there is no name. */
  readonly mechanisms?: readonly string[]
  /** Results of trials with session keys. */
  readonly survey?: Survey
  /** Secret and private key objects on the token. */
  readonly keys?: number
  /** Why the gateway cannot use this HSM, one line each. */
  readonly problems: readonly string[]
}

/** Never rejects because of the HSM: its faults, even a crash of its library, are problems in the report. */
export async function inspectHsm({ environment, ...options }: InspectOptions): Promise<HsmReport> {
  const argument: InspectArgument = { ...options, profile: profileOf(options.profile) }
  try {
    return await runChild('doctor/inspector', argument, environment)
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error
    return { problems: [error.message] }
  }
}
