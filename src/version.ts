/** The version of this package. */
import { readFileSync } from 'node:fs'

/** package.json is beside the folder of this file, which is src or dist. */
const file = new URL('../package.json', import.meta.url)

export const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string }
