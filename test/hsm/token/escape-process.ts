/** A process that has the user's PIN, and tries every way to wrap a key of the token for itself, with pkcs11js alone: prints their outcomes. */
import { readFileSync } from 'node:fs'
import pkcs11js from 'pkcs11js'

const [id, library, label, pinFile] = process.argv.slice(2) as [string, string, string, string]
const native = new pkcs11js.PKCS11()
native.load(library)
native.C_Initialize({ flags: pkcs11js.CKF_OS_LOCKING_OK })
const slot = native.C_GetSlotList(true).find(candidate => native.C_GetTokenInfo(candidate).label.trim() === label)!
const session = native.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION | pkcs11js.CKF_RW_SESSION)
native.C_Login(session, pkcs11js.CKU_USER, readFileSync(pinFile, 'utf8').trim())

const [secret, pair, wrap] = [pkcs11js.CKM_AES_KEY_GEN, pkcs11js.CKM_RSA_PKCS_KEY_PAIR_GEN, pkcs11js.CKM_AES_KEY_WRAP]
const template = (values: Readonly<Record<number, boolean | number | Buffer>>) =>
  Object.entries(values).map(([type, value]) => ({ type: Number(type), value }))
const wraps = { [pkcs11js.CKA_TOKEN]: false, [pkcs11js.CKA_WRAP]: true }
const aes = { [pkcs11js.CKA_CLASS]: pkcs11js.CKO_SECRET_KEY, [pkcs11js.CKA_KEY_TYPE]: pkcs11js.CKK_AES }
const rsa = { [pkcs11js.CKA_MODULUS_BITS]: 2048, [pkcs11js.CKA_PUBLIC_EXPONENT]: Buffer.from([1, 0, 1]) }
const trusted = template({ [pkcs11js.CKA_TRUSTED]: true })
const unbound = template({ [pkcs11js.CKA_WRAP_WITH_TRUSTED]: false })
const readable = template({ [pkcs11js.CKA_SENSITIVE]: false })

native.C_FindObjectsInit(session, template({ [pkcs11js.CKA_ID]: Buffer.from(id, 'hex') }))
const [key] = native.C_FindObjects(session, 1) as [Buffer]
native.C_FindObjectsFinal(session)
const wrapping = native.C_GenerateKey(
  session,
  { mechanism: secret },
  template({ ...wraps, ...aes, [pkcs11js.CKA_VALUE_LEN]: 32 }),
)
const { publicKey } = native.C_GenerateKeyPair(
  session,
  { mechanism: pair },
  template({ ...wraps, ...rsa }),
  template({ [pkcs11js.CKA_TOKEN]: false }),
)
const oaep = {
  mechanism: pkcs11js.CKM_RSA_PKCS_OAEP,
  parameter: { type: pkcs11js.CK_PARAMS_RSA_OAEP, hashAlg: pkcs11js.CKM_SHA_1, mgf: pkcs11js.CKG_MGF1_SHA1, source: 1 },
}
const room = () => Buffer.alloc(512)
const ways = {
  'wrap under an AES key': () => native.C_WrapKey(session, { mechanism: wrap }, wrapping, key, room()),
  'wrap under an RSA key': () => native.C_WrapKey(session, oaep, publicKey, key, room()),
  'trust the RSA key': () => native.C_SetAttributeValue(session, publicKey, trusted),
  'copy the RSA key as trusted': () => native.C_CopyObject(session, publicKey, trusted),
  'let any key wrap it': () => native.C_SetAttributeValue(session, key, unbound),
  'copy it so that any key may wrap it': () => native.C_CopyObject(session, key, unbound),
  'make it readable': () => native.C_SetAttributeValue(session, key, readable),
  'read it': () => native.C_GetAttributeValue(session, key, [{ type: pkcs11js.CKA_VALUE }]),
}
const outcomes = Object.entries(ways).map(([way, attempt]) => {
  try {
    attempt()
    return [way, 'done']
  } catch {
    return [way, 'refused']
  }
})
process.stdout.write(JSON.stringify(Object.fromEntries(outcomes)))
native.C_Finalize()
