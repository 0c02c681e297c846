/** Fills every byte array in the value with zeros: nothing that storage or a cache holds may be in it. */
export function wipe(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  if (value instanceof Uint8Array) value.fill(0)
  else for (const name in value) wipe(value[name as keyof typeof value])
}
