/** A process that reads the attributes of every key on a token with nothing but pkcs11js, and prints them. */
import { readFileSync } from 'node:fs'
import pkcs11js from 'pkcs11js'

const [library, label, pinFile] = process.argv.slice(2) as [string, string, string]
const flags = [
  ...['TOKEN', 'PRIVATE', 'SENSITIVE', 'EXTRACTABLE', 'ALWAYS_SENSITIVE', 'NEVER_EXTRACTABLE', 'LOCAL'],
  ...['ENCRYPT', 'DECRYPT', 'SIGN', 'SIGN_RECOVER', 'VERIFY', 'WRAP', 'UNWRAP', 'DERIVE', 'MODIFIABLE', 'COPYABLE'],
]
/** PKCS#11 v2.40, sections 4.9 and 4.10: what keys of the other kind do not have. */
const secretOnly = new Set(['ENCRYPT', 'VERIFY', 'WRAP'])
const privateOnly = new Set(['SIGN_RECOVER'])
const native = new pkcs11js.PKCS11()
native.load(library)
native.C_Initialize({ flags: pkcs11js.CKF_OS_LOCKING_OK })
const slot = native.C_GetSlotList(true).find(candidate => native.C_GetTokenInfo(candidate).label.trim() === label)!
const session = native.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION)
native.C_Login(session, pkcs11js.CKU_USER, readFileSync(pinFile, 'utf8').trim())
native.C_FindObjectsInit(session, [])
const keys = native.C_FindObjects(session, 1000).map(object => {
  const read = (name: string) => {
    const type = (pkcs11js as unknown as Record<string, number>)[`CKA_${name}`]!
    return native.C_GetAttributeValue(session, object, [{ type }])[0]!.value as Buffer
  }
  const isSecret = read('CLASS').readUInt8() === pkcs11js.CKO_SECRET_KEY
  return {
    id: read('ID').toString('hex'),
    keyType: read('KEY_TYPE').readUInt8(),
    ...(isSecret && { bytes: read('VALUE_LEN').readUInt8() }),
    flags: flags.filter(name => !(isSecret ? privateOnly : secretOnly).has(name) && read(name)[0] === 1),
  }
})
process.stdout.write(JSON.stringify(keys))
