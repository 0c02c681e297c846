/** Calls of pkcs11js, whose errors come in several shapes, with one kind of error. */
import { CryptokiError, classOf } from '../return-codes.ts'

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
