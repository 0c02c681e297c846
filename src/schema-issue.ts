/** Which known name a mistyped one stands for. */
import leven from 'leven'

/** Undefined when none is near enough to be meant. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const ranked = known.map(candidate => ({ candidate, distance: leven(name.toLowerCase(), candidate.toLowerCase()) }))
  ranked.sort((a, b) => a.distance - b.distance)
  const best = ranked[0]
  return best && best.distance <= Math.max(2, name.length / 3) ? best.candidate : undefined
}
