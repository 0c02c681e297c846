import { describe, expect, it } from 'vitest'
import { model, shapeNamed } from '../../../src/apis/kms/model.ts'
import type { StructureShape } from '../../../src/apis/service-model/model.ts'
import { operations } from '../../../src/operations/kms/catalogue.ts'

/** Compares the declarations of every operation with the model. */

function membersOf(shape: string | null): Map<string, string> {
  if (shape === null) return new Map()
  const { members } = shapeNamed(shape) as StructureShape
  return new Map(Object.entries(members).map(([name, { shape }]) => [name, shape]))
}

/** Whether values of the shape, or anything in them, may not be shown. */
function isSecret(name: string): boolean {
  const shape = shapeNamed(name)
  if (('sensitive' in shape && shape.sensitive) || shape.type === 'blob') return true
  if (shape.type === 'structure') return [...membersOf(name).values()].some(isSecret)
  if (shape.type === 'list') return isSecret(shape.member.shape)
  return shape.type === 'map' && (isSecret(shape.key.shape) || isSecret(shape.value.shape))
}

describe.each(operations.map(operation => [operation.name, operation] as const))('%s', (name, operation) => {
  const { input, output } = model.operations[name]
  const inputMembers = membersOf(input)
  const outputMembers = membersOf(output)
  const recorded: readonly string[] = operation.recorded
  const recordedOutput: readonly string[] = operation.recordedOutput ?? []

  it('audits every member that is no secret, and no other', () => {
    // On AWS, the record of RetireGrant has the grant among additionalEventData.
    const open = name === 'RetireGrant' ? [] : [...inputMembers].filter(([, shape]) => !isSecret(shape))
    // In the samples of operations on custom key stores the cluster is `clusterId`, and its certificate is left out.
    const others = ['CloudHsmClusterId', 'TrustAnchorCertificate']
    const expected = open.map(([member]) => member).filter(member => !others.includes(member))
    expect([...recorded].sort()).toEqual(expected.sort())
    for (const member of recordedOutput) {
      expect(outputMembers.has(member), member).toBe(true)
      expect(isSecret(outputMembers.get(member)!), member).toBe(false)
    }
  })

  it('is read-only, as in CloudTrail, unless it changes something', () => {
    const reads = /^(Describe|List|Get|Encrypt|Decrypt|ReEncrypt|Generate|Sign|Verify|DeriveSharedSecret)/
    expect(operation.readOnly).toBe(reads.test(name))
  })
})
