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
  const nearest = nearestName(name, known(issue.path))
  return `unknown key ${name}${path && ` under ${path}`}${nearest ? `; did you mean ${nearest}?` : ''}`
}

/** Undefined when none is near enough to be meant. */
function nearestName(name: string, known: readonly string[]): string | undefined {
  const ranked = known.map(candidate => ({ candidate, distance: leven(name.toLowerCase(), candidate.toLowerCase()) }))
  ranked.sort((a, b) => a.distance - b.distance)
  const best = ranked[0]
  return best && best.distance <= Math.max(2, name.length / 3) ? best.candidate : undefined
}
