/** A process that puts keys of known value on a token, with nothing but pkcs11js. The attributes come on standard input. */
import { readFileSync } from 'node:fs'
import pkcs11js from 'pkcs11js'
import type { WrittenAttributes } from './imported-keys.ts'

const [library, label, pinFile] = process.argv.slice(2) as [string, string, string]
const keys = JSON.parse(readFileSync(0, 'utf8')) as readonly WrittenAttributes[]
const native = new pkcs11js.PKCS11()
native.load(library)
native.C_Initialize({ flags: pkcs11js.CKF_OS_LOCKING_OK })
const slot = native.C_GetSlotList(true).find(candidate => native.C_GetTokenInfo(candidate).label.trim() === label)!
const session = native.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION | pkcs11js.CKF_RW_SESSION)
native.C_Login(session, pkcs11js.CKU_USER, readFileSync(pinFile, 'utf8').trim())
for (const attributes of keys) {
  const template = attributes.map(([type, value]) => ({
    type,
    value: typeof value === 'string' ? Buffer.from(value, 'hex') : value,
  }))
  native.C_CreateObject(session, template)
}
