import { describe, expect, it } from 'vitest'
import { maximumTokens } from '../../../src/apis/json/parse.ts'
import { operationShapes } from '../../../src/apis/json/shapes.ts'
import { model, shapeNamed } from '../../../src/apis/kms/model.ts'
import { schema } from '../../../src/config.ts'
import { Failure } from '../../../src/errors.ts'
import { fastest, longestTime } from '../../timing.ts'
import { worstBodies } from './worst-bodies.ts'

const shapesByOperation = operationShapes(model)

const minimal = { storage: { file: 's' }, audit: { file: 'a' }, hsms: {}, regions: {} }
const { maxBodySize } = schema.parse(minimal).listen

function decode(operation: string, body: Uint8Array): object | Failure {
  try {
    return shapesByOperation.get(operation)!.input(body)
  } catch (thrown) {
    if (thrown instanceof Failure) return thrown
    throw thrown
  }
}

describe('the largest valid request', () => {
  /** Not in the model: KMS Developer Guide, "Resource quotas"; bytes for the encryption context. */
  const tags = 50
  const context = 8192
  /** A policy is JSON inside JSON: of its characters that many in all are written as two. */
  const escaped = 0.25

  /** Bytes of the longest JSON of a shape, in ASCII. */
  function longest(name: string): number {
    const shape = shapeNamed(name)
    switch (shape.type) {
      case 'structure':
        return Object.entries(shape.members)
          .filter(([member]) => member !== 'Recipient')
          .reduce((sum, [member, reference]) => sum + member.length + 4 + longest(reference.shape), 2)
      case 'list':
        return 2 + (shape.max ?? tags) * (1 + longest(shape.member.shape))
      case 'map':
        return context
      case 'blob':
        return 2 + 4 * Math.ceil(shape.max! / 3)
      case 'string':
        return 2 + Math.ceil((shape.max ?? 64) * (name === 'PolicyType' ? 1 + escaped : 1))
      default:
        return 20
    }
  }

  it.each(Object.entries(model.operations))('of %s fits the default of maxBodySize', (_, { input }) => {
    expect(longest(input)).toBeLessThanOrEqual(maxBodySize)
  })

  it('has fewer tokens than the limit', () => {
    const pairs = Object.fromEntries(Array.from({ length: 818 }, (_, i) => [i.toString(36).padStart(2, '-'), '']))
    const body = {
      CiphertextBlob: 'AAAA',
      DestinationKeyId: 'k',
      SourceEncryptionContext: pairs,
      DestinationEncryptionContext: pairs,
      GrantTokens: Array(10).fill('t'),
    }
    const text = JSON.stringify(body)
    expect(text.match(/[,:[{]/g)!.length).toBeLessThan(maximumTokens / 2)
    expect(decode('ReEncrypt', Buffer.from(text))).not.toBeInstanceOf(Failure)
  })
})

describe('the limit of tokens', () => {
  const body = (count: number) => Buffer.from(JSON.stringify({ Unknown: Array(count - 2).fill(0) }))
  const text = `The request exceeds the limit of ${maximumTokens} JSON tokens.`

  it('counts every value, including those of unknown members', () => {
    expect(decode('ListKeys', body(maximumTokens))).toEqual({})
    expect(decode('ListKeys', body(maximumTokens + 1))).toMatchObject({ code: 'Serialization', message: text })
  })

  it('does not count what is in a string', () => {
    const Policy = String.raw`,:[{\"\\`.repeat(10_000)
    for (const ending of ['', '\\', '\\\\', '"', '\\"']) {
      const raw = JSON.stringify({ KeyId: 'k', Policy: Policy + ending, DryRun: true })
      const outcome = decode('PutKeyPolicy', Buffer.from(raw))
      expect(outcome).toMatchObject({ Policy: Policy + ending })
    }
  })

  it('leaves invalid JSON to the parser', () => {
    for (const raw of ['"'.padEnd(20_000, ','), `{"a":"${'x'.repeat(20_000)}\\`, '{'.padEnd(20_000, '"')]) {
      expect(decode('ListKeys', Buffer.from(raw))).toMatchObject({ code: 'Serialization' })
    }
  })
})

describe('the worst body', () => {
  it('of every shape is processed in short time', () => {
    const limit = longestTime()
    const slow: string[] = []
    for (const { operation, what, body } of worstBodies(maxBodySize)) {
      expect(body.length).toBeLessThanOrEqual(maxBodySize)
      let outcome: object = {}
      const time = fastest(1, () => (outcome = decode(operation, body)))
      if (outcome instanceof Failure) expect(outcome.message.length, what).toBeLessThan(60_000)
      // Once more, should the machine have been busy with something else.
      if (time > limit && fastest(5, () => decode(operation, body)) > longestTime()) slow.push(`${operation}: ${what}`)
    }
    expect(slow).toEqual([])
  }, 60_000)
})
