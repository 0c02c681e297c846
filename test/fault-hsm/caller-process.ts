/** A process that loads a module and makes PKCS#11 calls on request. */
import pkcs11 from 'pkcs11js'
import { type Answer, type IvForm, PIN } from './caller.ts'

const aad = Buffer.from('aad')
const returnCodes = new Map(
  Object.entries(pkcs11)
    .filter(([name]) => name.startsWith('CKR_'))
    .map(([name, code]) => [code as number, name]),
)

/** pkcs11js passes NULL only for an empty buffer of its own memory, which one that came in a message is not. */
function gcm(form: IvForm, given: Buffer): pkcs11.Mechanism {
  const iv = given.length === 0 ? Buffer.alloc(0) : given
  return {
    mechanism: form === 'prepend12' ? 0x8000_1087 : pkcs11.CKM_AES_GCM,
    parameter: { type: pkcs11.CK_PARAMS_AES_GCM_v240, iv, ivBits: iv.length * 8, aad, tagBits: 128 } as pkcs11.IParams,
  }
}

/** What a test may ask for, by name. Keys are named by the text of their CKA_ID. */
function methods(library: string) {
  const module = new pkcs11.PKCS11()
  module.load(library)
  const keys = new Map<string, pkcs11.Handle>()
  let session: pkcs11.Handle = Buffer.alloc(8)
  const slot = () => module.C_GetSlotList(true)[0] ?? Buffer.alloc(8)

  const self = {
    initialize: () => module.C_Initialize({ flags: pkcs11.CKF_OS_LOCKING_OK }),
    finalize: () => module.C_Finalize(),
    slots: () => module.C_GetSlotList(true).length,
    open() {
      session = module.C_OpenSession(slot(), pkcs11.CKF_SERIAL_SESSION | pkcs11.CKF_RW_SESSION)
    },
    login: () => module.C_Login(session, pkcs11.CKU_USER, PIN),
    start() {
      self.initialize()
      self.open()
      self.login()
    },
    sessionInfo: () => module.C_GetSessionInfo(session),
    random: () => module.C_GenerateRandom(session, Buffer.alloc(16)),
    digest() {
      module.C_DigestInit(session, { mechanism: pkcs11.CKM_SHA256 })
      return module.C_Digest(session, Buffer.from('text'), Buffer.alloc(32))
    },
    generate(id: string) {
      const template = [
        { type: pkcs11.CKA_ID, value: Buffer.from(id) },
        { type: pkcs11.CKA_TOKEN, value: true },
        { type: pkcs11.CKA_SENSITIVE, value: true },
        { type: pkcs11.CKA_EXTRACTABLE, value: false },
        { type: pkcs11.CKA_ENCRYPT, value: true },
        { type: pkcs11.CKA_DECRYPT, value: true },
        { type: pkcs11.CKA_VALUE_LEN, value: 32 },
      ]
      keys.set(id, module.C_GenerateKey(session, { mechanism: pkcs11.CKM_AES_KEY_GEN }, template))
    },
    /** Keeps the handle of the first object found; answers how many there are. */
    find(id: string) {
      module.C_FindObjectsInit(session, [{ type: pkcs11.CKA_ID, value: Buffer.from(id) }])
      const found = module.C_FindObjects(session, 10)
      module.C_FindObjectsFinal(session)
      if (found[0]) keys.set(id, found[0])
      return found.length
    },
    findAll() {
      module.C_FindObjectsInit(session, [])
      const found = module.C_FindObjects(session, 100)
      module.C_FindObjectsFinal(session)
      return found.length
    },
    idOf: (id: string) => self.attribute(id, pkcs11.CKA_ID).toString(),
    attribute: (id: string, type: number) =>
      module.C_GetAttributeValue(session, keys.get(id)!, [{ type }])[0]!.value as Buffer,
    encrypt(id: string, form: IvForm, data: Buffer) {
      const iv = { caller: Buffer.alloc(12, 7), writeback12: Buffer.alloc(12) }[form as string] ?? Buffer.alloc(0)
      module.C_EncryptInit(session, gcm(form, iv), keys.get(id)!)
      const ciphertext = module.C_Encrypt(session, data, Buffer.alloc(data.length + 32))
      return { iv, ciphertext }
    },
    decrypt(id: string, form: IvForm, iv: Buffer, ciphertext: Buffer) {
      module.C_DecryptInit(session, gcm(form, iv), keys.get(id)!)
      return module.C_Decrypt(session, ciphertext, Buffer.alloc(ciphertext.length))
    },
    mechanisms: () => module.C_GetMechanismList(slot()),
    mechanismInfo: (mechanism: number) => module.C_GetMechanismInfo(slot(), mechanism),
  }
  return self
}

export type Method = keyof ReturnType<typeof methods>

/** pkcs11js gives the number of a code as `code`, or only in the text: "CKR_DEVICE_ERROR:48". */
function returnCodeOf(error: unknown): string {
  const { code, message } = error as { code?: number; message: string }
  const number = code ?? Number(/:(\d+)/.exec(message)?.[1])
  return returnCodes.get(number) ?? message
}

function serve(library: string): void {
  const own = methods(library) as Record<Method, (...values: unknown[]) => unknown>
  process.on('message', ({ method, values }: { method: Method; values: unknown[] }) => {
    let answer: Answer
    try {
      answer = { returnCode: 'CKR_OK', value: own[method](...values) }
    } catch (error) {
      answer = { returnCode: returnCodeOf(error) }
    }
    process.send!(answer)
  })
}

serve(process.argv[2]!)
