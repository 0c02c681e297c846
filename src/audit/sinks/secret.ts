/** Secrets of a sink: read when they are needed, so that a new one is used without a restart. */
import { readFileSync } from 'node:fs'

/**
 * A line of text. Throws an Error, without the secret, if it cannot be read.
 *
 * @param variable name of an environment variable, if there is no file
 */
export function secret(file: string | undefined, variable: string | undefined): string {
  const text = file === undefined ? (process.env[variable!] ?? '') : readFileSync(file, 'utf8')
  const line = text.replace(/\r?\n$/, '')
  const where = file ?? `the variable ${variable}`
  if (!/^[^\p{Cc}]+$/u.test(line)) throw new Error(`${where} does not hold a line of text`)
  return line
}
