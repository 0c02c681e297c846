/**
 * Whether `text` matches `pattern`, in which `*` matches any characters and `?` exactly one: IAM User Guide, "IAM JSON policy elements".
 * Takes time proportional to the length of the pattern, and to the square of the length of the text.
 */
export function globMatches(pattern: string, text: string): boolean {
  if (pattern.length > text.length && literals(pattern) > text.length) return false
  let p = 0
  let t = 0
  let star = -1
  let resume = 0
  while (t < text.length) {
    if (pattern[p] === '*') {
      // Fast path: most patterns end with `*`.
      if (p === pattern.length - 1) return true
      star = p++
      resume = t
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
      p++
      t++
    } else if (star >= 0) {
      p = star + 1
      t = ++resume
    } else {
      return false
    }
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}

/** Minimum length of a matching text. */
function literals(pattern: string): number {
  let count = 0
  for (let p = 0; p < pattern.length; p++) if (pattern[p] !== '*') count++
  return count
}
