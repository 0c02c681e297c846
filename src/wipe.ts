/** Fills every byte array in the value with zeros: nothing that storage or a cache holds may be in it. */
export function wipe(value: unknown): void {
  if (value instanceof Uint8Array) value.fill(0)
  else if (typeof value === 'object' && value !== null) for (const part of Object.values(value)) wipe(part)
}
