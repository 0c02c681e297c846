/** Calls of pkcs11js, whose errors come in several shapes, with one kind of error. */
import type pkcs11js from 'pkcs11js'
import { CryptokiError, classOf } from '../return-codes.ts'

/** A slot, session or object: numbers that pkcs11js keeps in a Buffer. */
export type Handle = Buffer

/** PKCS#11 attributes with the values that pkcs11js takes. */
export type Template = readonly (readonly [attribute: number, value: boolean | number | string | Buffer])[]

/** @param name of the function of PKCS#11. Throws CryptokiError for a return code; a TypeError of pkcs11js as it is */
export function call<T>(name: string, native: () => T): T {
  try {
    return native()
  } catch (error) {
    throw refined(name, error)
  }
}

/** Some functions of pkcs11js give the return code only in the text of a plain Error: `CKR_NAME:number`. */
export function refined(functionName: string, error: unknown): unknown {
  const { code, message } = error as { code?: unknown; message?: string }
  if (typeof code === 'number' && code !== 0) return new CryptokiError(functionName, code)
  const written = /\bCKR_\w+:(\d+)/.exec(message ?? '')
  return written === null ? error : new CryptokiError(functionName, Number(written[1]))
}

/** Whether the error means that nothing was left to do: logged in already, or initialised already. */
export function wasDoneBefore(error: unknown): boolean {
  return error instanceof CryptokiError && classOf(error.code) === 'ok'
}

/** pkcs11js aborts the process over a malformed template. */
export function checked(template: Template): pkcs11js.Template {
  return template.map(([type, value]) => {
    const valid =
      Number.isInteger(type) && (Buffer.isBuffer(value) || ['boolean', 'number', 'string'].includes(typeof value))
    if (!valid) throw new TypeError(`The template has a malformed attribute ${type}.`)
    return { type, value }
  })
}
