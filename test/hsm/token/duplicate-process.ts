/** A process that creates an object with the CKA_ID of a key, or destroys it, with pkcs11js alone. */
import { readFileSync } from 'node:fs'
import pkcs11js from 'pkcs11js'

const [action, id, library, label, pinFile] = process.argv.slice(2) as [string, string, string, string, string]
const native = new pkcs11js.PKCS11()
native.load(library)
native.C_Initialize({ flags: pkcs11js.CKF_OS_LOCKING_OK })
const slot = native.C_GetSlotList(true).find(candidate => native.C_GetTokenInfo(candidate).label.trim() === label)!
const session = native.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION | pkcs11js.CKF_RW_SESSION)
native.C_Login(session, pkcs11js.CKU_USER, readFileSync(pinFile, 'utf8').trim())
const named = [
  { type: pkcs11js.CKA_ID, value: Buffer.from(id, 'hex') },
  { type: pkcs11js.CKA_LABEL, value: 'duplicate' },
]
if (action === 'create') {
  native.C_CreateObject(session, [
    { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_SECRET_KEY },
    { type: pkcs11js.CKA_KEY_TYPE, value: pkcs11js.CKK_AES },
    { type: pkcs11js.CKA_TOKEN, value: true },
    { type: pkcs11js.CKA_PRIVATE, value: true },
    { type: pkcs11js.CKA_ENCRYPT, value: true },
    { type: pkcs11js.CKA_VALUE, value: Buffer.alloc(32, 'the attacker knows this key') },
    ...named,
  ])
} else {
  native.C_FindObjectsInit(session, named)
  const [duplicate] = native.C_FindObjects(session, 1)
  native.C_FindObjectsFinal(session)
  native.C_DestroyObject(session, duplicate!)
}
native.C_Finalize()
