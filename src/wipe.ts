/** Fills every byte array in the value with zeros: it must not contain arrays that storage or a cache holds. */
export function wipe(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  if (value instanceof Uint8Array) value.fill(0)
  else for (const member of Object.values(value)) wipe(member)
}
