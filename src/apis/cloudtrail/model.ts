/** The service model of AWS CloudTrail (botocore, 2013-11-01) as typed data, with what is missing in the public model. */
import type { OperationName } from '../../operations/cloudtrail/operation.ts'
import type { Model, Shape } from '../service-model/model.ts'
import json from './model.json' with { type: 'json' }

const published = json as unknown as Model<OperationName>

const shapes: Record<string, Shape> = { ...published.shapes }
// The errors for these have names of their own: see operations/cloudtrail/lookup-events.ts.
for (const name of ['EventCategory', 'LookupAttributeKey', 'LookupAttributeValue']) shapes[name] = { type: 'string' }
shapes.MaxResults = { type: 'integer' }

export const model: Model<OperationName> = { ...published, shapes }
