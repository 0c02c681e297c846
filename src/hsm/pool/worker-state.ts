/** What a worker process is in, and what becomes of it: every state, every event, every transition. */

/**
 * - `spare`: runs, and has not been told to open the token.
 * - `starting`: opens the token and logs in.
 * - `ready`: takes calls.
 * - `searching`: the same, but silent for longer: it has said that it searches the token, and nothing since.
 * - `suspect`: silent; others do its calls, but for the oldest, until it says something.
 * - `loggingIn`: has lost its login and logs in again; takes no calls meanwhile.
 * - `hung`: silent for too long and replaced; lives for as long as a call of its may still be answered.
 * - `ending`: was told to end.
 * - `lost`: gone, or killed: nothing more is expected of it.
 */
export const workerStates = [
  'spare',
  'starting',
  'ready',
  'searching',
  'suspect',
  'loggingIn',
  'hung',
  'ending',
  'lost',
] as const
export type WorkerState = (typeof workerStates)[number]

/**
 * - `start`: it is told to open the token.
 * - `admit`: it is logged in, and may be given calls.
 * - `hear`: it has said anything but the next.
 * - `search`: it has said that it searches the token.
 * - `suspect`: it has calls, is silent, and others have time for them.
 * - `hang`: it has calls and has been silent for too long.
 * - `loseLogin`, `logIn`: it has said that it is not logged in any more; it is logged in again.
 * - `end`: it is told to end.
 * - `lose`: its process is gone, it broke the protocol, or it missed a deadline for good.
 */
export const workerEvents = [
  'start',
  'admit',
  'hear',
  'search',
  'suspect',
  'hang',
  'loseLogin',
  'logIn',
  'end',
  'lose',
] as const
export type WorkerEvent = (typeof workerEvents)[number]

/** What is not here leaves the state as it is. */
// biome-ignore format: a table
const transitions: Readonly<Record<WorkerState, Readonly<Partial<Record<WorkerEvent, WorkerState>>>>> = {
  spare:     { start: 'starting', end: 'ending', lose: 'lost' },
  starting:  { admit: 'ready', end: 'ending', lose: 'lost' },
  ready:     { search: 'searching', suspect: 'suspect', hang: 'hung', loseLogin: 'loggingIn', end: 'ending', lose: 'lost' },
  searching: { hear: 'ready', hang: 'hung', loseLogin: 'loggingIn', end: 'ending', lose: 'lost' },
  suspect:   { hear: 'ready', search: 'searching', hang: 'hung', loseLogin: 'loggingIn', end: 'ending', lose: 'lost' },
  loggingIn: { logIn: 'ready', hang: 'hung', end: 'ending', lose: 'lost' },
  hung:      { end: 'ending', lose: 'lost' },
  ending:    { lose: 'lost' },
  lost:      {},
}

export function nextState(state: WorkerState, event: WorkerEvent): WorkerState {
  return transitions[state][event] ?? state
}

/** May be given calls now. */
export function takesCalls(state: WorkerState): boolean {
  return state === 'ready' || state === 'searching'
}

/** Is one of the workers that do the calls of the HSM. */
export function isServing(state: WorkerState): boolean {
  return takesCalls(state) || state === 'suspect' || state === 'loggingIn'
}

/** Does no more than end, if it has not. */
export function isOver(state: WorkerState): boolean {
  return state === 'ending' || state === 'lost'
}
