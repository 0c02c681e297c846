import type { Principal } from '../../../src/model/identities/principal.ts'
import type { Principals } from '../../../src/model/identities/principals.ts'

/** These principals, and no others. */
export function principalsOf(...all: readonly Principal[]): Principals {
  return {
    find: arn => all.find(principal => principal.arn === arn),
    withId: id => all.find(({ principalId }) => principalId === id),
    named: (account, type, name) =>
      all.find(principal => principal.account === account && principal.type === type && principal.name === name),
    isKnown: account => all.some(principal => principal.account === account),
  }
}
