/** Durations and sizes of the configuration: a number with its unit. */
import { z } from 'zod'

/** Milliseconds. */
const durations = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
/** Bytes (IEC 80000-13). */
const sizes = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }

type Quantity = z.ZodType<number, string>

/** `2s` and the like, in milliseconds. */
export function duration(least: string, most = '365d'): Quantity {
  return quantity('not a duration: use a whole number with ms, s, m, h or d, such as 250ms', durations, least, most)
}

/** `192KiB` and the like, in bytes. */
export function size(least: string, most = '64GiB'): Quantity {
  return quantity('not a size: use a whole number with B, KiB, MiB or GiB, such as 192KiB', sizes, least, most)
}

function quantity(mistake: string, units: Readonly<Record<string, number>>, least: string, most: string): Quantity {
  const form = new RegExp(`^(\\d{1,9})(${Object.keys(units).join('|')})$`)
  const inBaseUnit = (text: string) => {
    const [, count, unit] = form.exec(text)!
    return Number(count) * units[unit!]!
  }
  return z
    .string(mistake)
    .regex(form, { error: mistake, abort: true })
    .transform(inBaseUnit)
    .refine(value => value >= inBaseUnit(least) && value <= inBaseUnit(most), `must be between ${least} and ${most}`)
}
