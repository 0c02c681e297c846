import { describe, expect, it } from 'vitest'
import { globalConditionKeys } from '../../src/authorization/global-condition-keys.ts'
import { aUser } from './users.ts'

const account = '111122223333'
const alice = `arn:aws:iam::${account}:user/alice`

describe('condition keys', () => {
  const caller = aUser(alice, [])
  const context = { sourceAddress: '192.0.2.1', userAgent: 'aws-cli/2', secure: true, startedAt: 1_700_000_000_123 }
  const values = globalConditionKeys(caller, context)

  it.each([
    ['aws:CurrentTime', '2023-11-14T22:13:20.123Z'],
    ['aws:EpochTime', '1700000000'],
    ['aws:PrincipalAccount', account],
    ['aws:PrincipalArn', alice],
    ['aws:PrincipalType', 'User'],
    ['aws:RequestedRegion', 'eu-west-1'],
    ['aws:SecureTransport', 'true'],
    ['aws:SourceIp', '192.0.2.1'],
    ['aws:UserAgent', 'aws-cli/2'],
    ['aws:userid', 'AIDAEXAMPLE0000000001'],
    ['aws:username', 'alice'],
  ])('%s is known', (name, value) => {
    expect(values(name.toLowerCase())).toEqual([value])
  })

  it('that the request does not have are undefined', () => {
    for (const name of ['', 'aws:', 'aws:principaltag/team', 'kms:viaservice', '__proto__', 'constructor'])
      expect(values(name)).toBeUndefined()
    const silent = globalConditionKeys(caller, { ...context, userAgent: undefined })
    expect(silent('aws:useragent')).toBeUndefined()
  })
})
