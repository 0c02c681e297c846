/** One line of the benchmark's table: a ratio or a bound, taken in one run on one machine. */
export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** What the value must reach, or must stay below. */
  readonly reach: { readonly atLeast: number } | { readonly atMost: number }
  /** Numbers behind the value, for the reader. */
  readonly details?: string
}

export function isReached({ value, reach }: Figure): boolean {
  return 'atLeast' in reach ? value >= reach.atLeast : value <= reach.atMost
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]!
}
