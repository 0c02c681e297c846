import { profile } from './profile.ts'

/** A token that nobody has described: what the standard promises, until the probe says otherwise. */
export const generic = profile({
  name: 'generic',
  title: 'another token',
  /** Costs a software token some microseconds a call, whereas `synchronous` would allow a network HSM one call at a time. */
  mode: 'asynchronous',
})
