import { describe, expect, it } from 'vitest'
import type { AccessRequest } from '../../src/authorization/authorize.ts'
import { conditionValues } from '../../src/authorization/condition-keys.ts'
import { aUser } from './users.ts'

const account = '111122223333'
const alice = `arn:aws:iam::${account}:user/alice`
const key = `arn:aws:kms:eu-west-1:${account}:key/1234abcd-12ab-34cd-56ef-1234567890ab`

describe('condition keys', () => {
  const caller = aUser(alice, [])
  const context = { sourceAddress: '192.0.2.1', userAgent: 'aws-cli/2', secure: true, startedAt: 1_700_000_000_123 }
  const request: AccessRequest = { caller, action: 'kms:Encrypt', resource: key, account, context }

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
  ])('%s is known, however it is written', (name, value) => {
    for (const written of [name, name.toLowerCase(), name.toUpperCase()])
      expect(conditionValues(request, written)).toEqual([value])
  })

  it('that the request does not have are empty', () => {
    for (const name of ['', 'aws:', 'aws:PrincipalTag/team', 'kms:ViaService', '__proto__', 'constructor'])
      expect(conditionValues(request, name)).toEqual([])
    expect(conditionValues({ ...request, context: { ...context, userAgent: undefined } }, 'aws:UserAgent')).toEqual([])
  })

  it('of the caller are the only ones of a hypothetical request', () => {
    const { context: _, ...later } = request
    expect(conditionValues(later, 'aws:PrincipalArn')).toEqual([alice])
    for (const name of ['aws:SourceIp', 'aws:CurrentTime', 'aws:EpochTime', 'aws:SecureTransport', 'aws:UserAgent'])
      expect(conditionValues(later, name)).toEqual([])
  })
})
