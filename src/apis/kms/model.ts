/** The service model of AWS KMS (botocore, 2014-11-01) as typed data, with what is missing in the public model. */
import { checkEncryptionContext } from '../../model/keys/encryption-context.ts'
import { keyMaterialTag } from '../../model/keys/tags.ts'
import type { OperationName } from '../../operations/kms/operation.ts'
import { type Model, type Shape, shapesIn } from '../service-model/model.ts'
import { enumValues, unlistedValues } from './enum-values.ts'
import json from './model.json' with { type: 'json' }

const published = json as unknown as Model<OperationName>

const shapes: Record<string, Shape> = { ...published.shapes }
function add(name: string, addition: object): void {
  shapes[name] = { ...shapes[name]!, ...addition }
}
for (const [name, listed] of Object.entries(enumValues)) add(name, { listed })
for (const [name, unlisted] of Object.entries(unlistedValues)) add(name, { unlisted })
// AWS checks this pattern; its message shows it (recorded 2026).
add('KeyIdType', { pattern: '^\\p{ASCII}+$' })
// Not in the public model: messages are on record, and no grant token may be.
add('GrantTokenType', { sensitive: true })
add('Tag', {
  variant: { shape: 'KeyMaterialTag', is: ({ TagKey }: { TagKey?: unknown }) => TagKey === keyMaterialTag },
})
add('EncryptionContextType', { checkLimit: checkEncryptionContext })

// An RSA key of 4096 bits in PKCS #8 and base64 has 3,200 characters.
shapes.KeyMaterialTag = {
  type: 'structure',
  members: { TagKey: { shape: 'TagKeyType' }, TagValue: { shape: 'KeyMaterialTagValue' } },
  required: ['TagKey', 'TagValue'],
}
shapes.KeyMaterialTagValue = { type: 'string', max: 4096, sensitive: true }

export const model: Model<OperationName> = { ...published, shapes }

/** Every operation of AWS KMS, supported or not. */
export const operationNames = Object.keys(model.operations) as readonly OperationName[]

export const shapeNamed = shapesIn(model)
