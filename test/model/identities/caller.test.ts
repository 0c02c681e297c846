import { describe, expect, it } from 'vitest'
import { queueOf, type WebIdentityCaller } from '../../../src/model/identities/caller.ts'
import { aSession, aUser } from '../../authorization/users.ts'

describe('the queue of a caller', () => {
  it('is that of the user, or of all sessions of a role', () => {
    expect(queueOf(aUser('arn:aws:iam::111122223333:user/alice', []))).toBe('AIDAEXAMPLE0000000001')
    const role = 'arn:aws:iam::111122223333:role/backup'
    const sessions = ['first', 'second'].map(name => {
      return queueOf(aSession(`arn:aws:sts::111122223333:assumed-role/backup/${name}`, role, []))
    })
    expect(sessions).toEqual(['AROAEXAMPLE0000000001', 'AROAEXAMPLE0000000001'])
  })

  it('is that of all bearers of tokens of a provider', () => {
    const provider = 'arn:aws:iam::111122223333:oidc-provider/issuer.example.com:8443/path'
    const bearer = { type: 'webIdentity', provider, principalId: `${provider}:aud:sub` } as WebIdentityCaller
    expect(queueOf(bearer)).toBe(provider)
  })
})
