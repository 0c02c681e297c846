/** The name of a gateway, unique among those with the same database. */
import { z } from 'zod'

export const gateway = z
  .string()
  .regex(/^[a-z0-9][a-z0-9.-]{0,62}$/, 'not a valid name: use lower-case letters, digits, dots and dashes')

/** @param host name of the machine */
export function gatewayName(host: string): string {
  const name = host
    .toLowerCase()
    .replace(/[^a-z0-9.-]/g, '-')
    .replace(/^[.-]+/, '')
  return name.slice(0, 63) || 'gateway'
}
