/** The PIN of a token, read by the processes that log in, and by nobody else. */
import { readFileSync } from 'node:fs'
import { OperatorError } from '../../errors.ts'
import type { PinSource } from '../wire/token-address.ts'

/** Where the PIN is, or the PIN as the gateway sent it. */
export type Pin = PinSource | { readonly sent: string }

/** Throws an OperatorError that says where there is no PIN. */
export function readPin(source: Pin): string {
  if ('sent' in source) return source.sent
  const { pinFile, pinVariable } = source
  const pin = pinFile === undefined ? process.env[pinVariable!] : oneLineOf(pinFile)
  if (pin) return pin
  throw new OperatorError(`no PIN in ${placeOf(source)}`)
}

/** For messages. */
export function placeOf(source: Pin): string {
  if ('sent' in source) return 'the settings of the custom key store'
  const { pinFile, pinVariable } = source
  return pinFile ?? `the environment variable ${pinVariable}`
}

/** For messages: what to do after the token refused it, as it is not tried again. */
export function remedyOf(source: Pin): string {
  return 'sent' in source ? 'disconnect the store, update its password, and connect it' : 'correct it and restart'
}

function oneLineOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new OperatorError(`cannot read the PIN file ${file}: ${code}`, { cause: error })
  }
}
