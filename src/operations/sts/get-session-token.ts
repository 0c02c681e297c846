import { uniqueId } from '../../model/identities/caller.ts'
import { issueCredentials } from './credentials.ts'
import { isUserSession, operation, refuseMfa, unconditional } from './operation.ts'

/** Seconds: STS API Reference, "GetSessionToken". */
const usualDuration = 43_200

export const getSessionToken = operation('GetSessionToken')({
  target: unconditional,
  refuses: caller => caller.type !== 'user' || isUserSession(caller),
  recorded: ['DurationSeconds'],
  recordedDefaults: () => ({ DurationSeconds: usualDuration }),
  recordedOutput: ['Credentials'],
  async run({ input, caller, ...services }) {
    refuseMfa(input)
    const { DurationSeconds = usualDuration } = input
    const session = { principalId: uniqueId(caller) }
    return { Credentials: await issueCredentials(session, DurationSeconds, caller.region, services) }
  },
})
