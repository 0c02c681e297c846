/** pkcs11js alone: scripts that do nothing but call the token, each in a process of its own, and print how often they could. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pkcs11js from 'pkcs11js'

/** In such a script: the first token of the library, and a way to open sessions. The first one is logged in, and so are all. */
export function openToken(library: string, pinFile: string) {
  const pkcs11 = new pkcs11js.PKCS11()
  pkcs11.load(library)
  pkcs11.C_Initialize({ flags: pkcs11js.CKF_OS_LOCKING_OK })
  const slot = pkcs11.C_GetSlotList(true)[0]!
  const newSession = () => pkcs11.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION | pkcs11js.CKF_RW_SESSION)
  const session = newSession()
  pkcs11.C_Login(session, pkcs11js.CKU_USER, readFileSync(pinFile, 'utf8').trim())
  return { pkcs11, session, newSession }
}

/** Runs such a script of this folder. Resolves to the number that it prints: calls a second. */
export async function bareRate(
  script: string,
  parameters: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<number> {
  const path = join(import.meta.dirname, script)
  const { stdout } = await promisify(execFile)(process.execPath, [path, ...parameters], { env: environment })
  return Number(stdout)
}
