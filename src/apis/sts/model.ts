/** The service model of AWS STS (botocore, 2011-06-15) as typed data, with what is missing in the public model. */
import type { OperationName } from '../../operations/sts/operation.ts'
import type { Model, Shape } from '../service-model/model.ts'
import json from './model.json' with { type: 'json' }

const published = json as unknown as Model<OperationName>

const shapes: Record<string, Shape> = { ...published.shapes }
function add(name: string, addition: object): void {
  shapes[name] = { ...shapes[name]!, ...addition }
}
// STS API Reference, "AssumeRole".
add('policyDescriptorListType', { max: 10 })
// Credentials are on record, and session tokens may not be.
add('tokenType', { sensitive: true })

export const model: Model<OperationName> = { ...published, shapes }
