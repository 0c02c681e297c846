/** The PIN of a token, read by the processes that log in, and by nobody else. */
import { readFileSync } from 'node:fs'
import { OperatorError } from '../../errors.ts'
import type { PinSource } from '../wire/token-address.ts'

/** Throws an OperatorError that says where there is no PIN. */
export function readPin(source: PinSource): string {
  const { pinFile, pinVariable } = source
  const pin = pinFile === undefined ? process.env[pinVariable!] : oneLineOf(pinFile)
  if (pin) return pin
  throw new OperatorError(`no PIN in ${placeOf(source)}`)
}

/** For messages. */
export function placeOf({ pinFile, pinVariable }: PinSource): string {
  return pinFile ?? `the environment variable ${pinVariable}`
}

function oneLineOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new OperatorError(`cannot read the PIN file ${file}: ${code}`, { cause: error })
  }
}
