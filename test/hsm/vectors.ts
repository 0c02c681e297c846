/** Published test vectors: test/vectors/, each file with its source. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'

/** A case with the members of its group. All but these are text; bytes are in hex. */
export type Vector<M extends string> = Readonly<Record<M, string>> & {
  readonly tcId: number
  readonly comment: string
  readonly flags: readonly string[]
  readonly result: 'valid' | 'invalid' | 'acceptable'
}

interface VectorFile<M extends string> {
  readonly source: string
  readonly groups: readonly (Partial<Vector<M>> & { readonly tests: readonly Vector<M>[] })[]
}

/** @param name of the file, below test/vectors/, without its ending */
export function vectors<M extends string>(name: string): readonly Vector<M>[] {
  const text = readFileSync(join(import.meta.dirname, `../vectors/${name}.json`), 'utf8')
  const { groups } = JSON.parse(text) as VectorFile<M>
  return groups.flatMap(({ tests, ...group }) => tests.map(test => ({ ...group, ...test })))
}

export function bytes(hex: string): Buffer {
  return Buffer.from(hex, 'hex')
}

/** Holds what each case came to against what it should come to, in one comparison that names those that differ. */
export async function expectOutcomes<V extends Pick<Vector<never>, 'comment' | 'tcId'>>(
  cases: readonly V[],
  expected: (vector: V) => string,
  outcome: (vector: V) => Promise<string> | string,
): Promise<void> {
  const line = ({ tcId, comment }: V, text: string) => `${tcId} ${comment}: ${text}`
  const outcomes = await Promise.all(cases.map(outcome))
  expect(cases.length).toBeGreaterThan(0)
  expect(cases.map((vector, i) => line(vector, outcomes[i]!))).toEqual(
    cases.map(vector => line(vector, expected(vector))),
  )
}
