import { operations } from '../../operations/cloudtrail/catalogue.ts'
import { actions, policySubject } from '../../operations/cloudtrail/policy-subject.ts'
import { JsonApi } from '../json/json.ts'
import { model } from './model.ts'

const unsupported = actions.filter(action => !Object.hasOwn(model.operations, action))

/** The AWS CloudTrail API, of which the gateway serves the history of events. */
export const cloudtrail = new JsonApi({
  service: 'cloudtrail',
  actionPrefix: 'cloudtrail:',
  eventSource: 'cloudtrail.amazonaws.com',
  namespace: 'com.amazonaws.cloudtrail.v20131101',
  model,
  operations,
  policySubject,
  whyUnsupported: Object.fromEntries(unsupported.map(name => [name, 'of AWS CloudTrail it has LookupEvents only'])),
  // CloudTrail API Reference, "Common Errors".
  errorCodes: { Internal: 'InternalFailure', DependencyTimeout: 'ServiceUnavailable' },
})
