/** What is wrong with a YAML file, as one line for its author. */
import leven from 'leven'
import type { z } from 'zod'

/** @param known keys that are valid at a path */
export function describeIssue(
  issue: z.core.$ZodIssue,
  known: (path: readonly PropertyKey[]) => readonly string[],
): string {
  const path = issue.path.join('.')
  if (issue.code !== 'unrecognized_keys') {
    const { message } = issue.code === 'invalid_key' ? issue.issues[0]! : issue
    return `${path && `${path}: `}${message.charAt(0).toLowerCase()}${message.slice(1)}`
  }
  const name = issue.keys[0]!
  return `unknown key ${name}${path && ` under ${path}`}${hint(name, known(issue.path))}`
}

/** More names than this are no help in one line. */
const mostListed = 25

function hint(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known)
  if (nearest !== undefined) return `; did you mean ${nearest}?`
  return known.length > 0 && known.length <= mostListed ? `: use one of ${known.join(', ')}` : ''
}

/** The one with the fewest other letters, or the only one that contains the name; undefined when none is near enough to be meant. */
function nearestName(name: string, known: readonly string[]): string | undefined {
  const written = name.toLowerCase()
  const ranked = known.map(candidate => ({ candidate, distance: leven(written, candidate.toLowerCase()) }))
  ranked.sort((a, b) => a.distance - b.distance)
  const best = ranked[0]
  if (best && best.distance <= Math.max(2, name.length / 3)) return best.candidate
  const [longer, another] = known.filter(candidate => candidate.toLowerCase().includes(written))
  return written.length > 2 && another === undefined ? longer : undefined
}
