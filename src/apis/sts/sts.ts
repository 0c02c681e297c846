import { operations } from '../../operations/sts/catalogue.ts'
import { policySubject } from '../../operations/sts/policy-subject.ts'
import { QueryApi } from '../query/query.ts'
import { model } from './model.ts'

const noSuchFeature = (what: string) => `there are no ${what}`

/** The AWS STS API. */
export const sts = new QueryApi({
  service: 'sts',
  actionPrefix: 'sts:',
  eventSource: 'sts.amazonaws.com',
  // Of sts.amazonaws.com.
  globalRegion: 'us-east-1',
  policySubject,
  model,
  operations,
  whyUnsupported: {
    AssumeRoleWithSAML: noSuchFeature('SAML providers'),
    AssumeRoot: noSuchFeature('root users'),
    GetDelegatedAccessToken: noSuchFeature('delegated access tokens'),
    GetFederationToken: noSuchFeature('federated users, assume a role with a session policy instead'),
    GetWebIdentityToken: noSuchFeature('identity tokens of this gateway'),
  },
})
