/**
 * The suite must be quick: of a behaviour with many cases it tries one or a few. The soak runs each file that imports this one again,
 * with every case and all runs of its properties.
 */
export const thorough = process.env.STRONGROOM_THOROUGH === 'yes'

/** All of them in the soak; in the suite the first ones, so put the most telling case first. */
export function cases<const T>(all: readonly T[], inSuite = 1): readonly T[] {
  return thorough ? all : all.slice(0, inSuite)
}

/** How often the soak tries a property, or the suite: a third of that. */
export function runs(inSoak: number): number {
  return thorough ? inSoak : Math.ceil(inSoak / 3)
}
