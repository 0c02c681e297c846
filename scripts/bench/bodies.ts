import { operationShapes } from '../../src/apis/json/shapes.ts'
import { model } from '../../src/apis/kms/model.ts'
import { schema } from '../../src/config.ts'
import { worstBodies } from '../../test/apis/kms/worst-bodies.ts'
import { fastest } from '../../test/timing.ts'
import type { Figure } from './figure.ts'

const shapesByOperation = operationShapes(model)

/** The worst bodies of every shape, at the default limit: how long the slowest holds up everybody else while it is read. */
export async function decodeWorstBodies(): Promise<Figure> {
  const { maxBodySize } = schema.parse({ storage: { file: '' }, audit: { file: '' }, hsms: {}, regions: {} }).listen
  let value = 0
  let details = ''
  for (const { operation, what, body } of worstBodies(maxBodySize)) {
    const time = fastest(3, () => decode(operation, body))
    if (time <= value) continue
    value = time
    details = `${operation}: ${what}`
  }
  return { name: 'worst body of any shape, decoded', value, unit: 'ms', reach: { atMost: 20 }, details }
}

function decode(operation: string, body: Uint8Array): void {
  try {
    shapesByOperation.get(operation)!.input(body)
  } catch {
    // Most of them are refused.
  }
}
