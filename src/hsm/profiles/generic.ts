import { profile } from './profile.ts'

/** An unknown token: what the standard requires, until the probe finds otherwise. */
export const generic = profile({
  name: 'generic',
  title: 'another token',
  /** Costs a software token some microseconds a call, whereas `synchronous` would allow a network HSM one call at a time. */
  mode: 'asynchronous',
})
