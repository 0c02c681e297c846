/** The states of a worker process, its events, and every transition. */

/**
 * - `spare`: runs, but has not been told to open the token.
 * - `starting`: opens the token and logs in.
 * - `ready`: takes calls.
 * - `searching`: takes calls; has announced a search of the token, during which it may be silent for longer.
 * - `suspect`: silent; other workers take over its calls except the oldest, until it writes again.
 * - `loggingIn`: lost its login and logs in again; takes no calls.
 * - `hung`: silent for too long and replaced; kept while one of its calls may still be answered.
 * - `ending`: was told to end.
 * - `lost`: ended or killed.
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
 * - `start`: told to open the token.
 * - `admit`: logged in and fit for calls.
 * - `hear`: it wrote anything but the following.
 * - `search`: it announced a search of the token.
 * - `suspect`: it has calls and is silent, and other workers can take them over.
 * - `hang`: silent with calls for too long.
 * - `loseLogin`, `logIn`: it reported that its login is lost; it is logged in again.
 * - `end`: told to end.
 * - `lose`: its process ended, it broke the protocol, or it missed its last deadline.
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

/** Other events do not change the state. */
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

/** Whether it takes calls. */
export function takesCalls(state: WorkerState): boolean {
  return state === 'ready' || state === 'searching'
}

/** Whether it is one of the HSM's workers, even if it takes no calls at the moment. */
export function isServing(state: WorkerState): boolean {
  return takesCalls(state) || state === 'suspect' || state === 'loggingIn'
}

/** Whether it has ended or is about to. */
export function isOver(state: WorkerState): boolean {
  return state === 'ending' || state === 'lost'
}
