/** Lines of a journal with one member, an object: exactly as a gateway writes them. */

/** Characters: those that the gateway writes have fewer than 1000. */
const longestLine = 4096

/** As the gateway writes it: exactly the members that are known, as others would not be signed. */
export function memberIn<T>(
  line: string,
  name: string,
  members: Record<keyof T, (value: unknown) => boolean>,
): T | undefined {
  if (line.length > longestLine || !line.startsWith(`{"${name}":{`)) return undefined
  try {
    const value = JSON.parse(line)[name] as Record<string, unknown>
    const checks = Object.entries<(value: unknown) => boolean>(members)
    const isKnown = Object.keys(value).every(member => Object.hasOwn(members, member))
    const isWhole = isKnown && checks.every(([member, is]) => is(value[member]))
    return isWhole && JSON.stringify({ [name]: value }) === line ? (value as T) : undefined
  } catch {
    return undefined
  }
}

export function isText(value: unknown): boolean {
  return typeof value === 'string'
}

export function isOptionalText(value: unknown): boolean {
  return value === undefined || isText(value)
}

export function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
