import { createHash } from 'node:crypto'
import type { MessageType } from '@aws-sdk/client-kms'
import { describe, expect, it } from 'vitest'
import { keySpecs, type SupportedKeySpec } from '../../../src/model/keys/key-spec.ts'
import { checkMessage, signingAlgorithms } from '../../../src/model/keys/signing-algorithm.ts'

const pairs = Object.entries(keySpecs).flatMap(([spec, row]) =>
  row.signingAlgorithms.map(algorithm => [spec as SupportedKeySpec, algorithm] as const),
)

function outcome(...message: Parameters<typeof checkMessage>): string {
  try {
    checkMessage(...message)
    return 'ok'
  } catch (error) {
    const { code, message } = error as { code: string; message: string }
    return `${code}: ${message}`
  }
}

describe.each(pairs)('a message for %s with %s', (spec, algorithm) => {
  const { scheme, messages } = signingAlgorithms[algorithm]
  const types: readonly MessageType[] = ['RAW', 'DIGEST', 'EXTERNAL_MU']

  it('of another type is refused, whatever its length', () => {
    const what = scheme === 'ML-DSA' ? `key spec ${spec}` : `algorithm ${algorithm}`
    for (const type of types.filter(type => messages[type] === undefined)) {
      for (const length of [1, 32, 64]) {
        expect(outcome(spec, algorithm, type, length)).toBe(
          `Validation: Message type ${type} is incompatible with ${what}.`,
        )
      }
    }
  })

  it('that is RAW has any length, a DIGEST only that of its hash', () => {
    for (const type of types.filter(type => messages[type] !== undefined)) {
      const right = messages[type]!
      for (const length of [1, right - 1, right, right + 1]) {
        const fits = type === 'RAW' || length === right
        expect(outcome(spec, algorithm, type, length), `${type} ${length}`).toBe(
          fits ? 'ok' : `Validation: Digest is invalid length for algorithm ${algorithm}.`,
        )
      }
    }
  })
})

it('a digest has the length of its hash', () => {
  const rows = Object.values(signingAlgorithms).filter(({ hash }) => hash !== undefined)
  expect(rows).toHaveLength(10)
  for (const { hash, messages } of rows) expect(createHash(hash!).digest()).toHaveLength(messages.DIGEST!)
})
