/** Multi-Region keys that one token wraps for another, under a key that its security officer trusts. */
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CreatedKey, Hsm, TransferredKey } from '../../../src/hsm/hsm.ts'
import { connectHsm } from '../../../src/hsm/registry.ts'
import { type TrustOptions, trustKey } from '../../../src/hsm/trust.ts'
import { newMaterial, refusal } from '../../contracts/hsm.ts'
import { createSoftHsm, type SoftHsm } from '../softhsm.ts'

const text = Buffer.from('text')
const transferKey = newMaterial()
let [source, target]: SoftHsm[] = []
let [from, to]: Hsm[] = []
let publicKey: Uint8Array

/** As the security officer of the source does. */
function trust(options: Partial<TrustOptions> = {}): Promise<'created' | 'present'> {
  const { options: own, securityOfficerPinFile } = source!
  const { library, tokenLabel, profile, environment } = own
  const key = { object: transferKey, label: 'transfer key of the target', publicKey }
  return trustKey({ library, tokenLabel, profile, environment, securityOfficerPinFile, ...key, ...options })
}

/** A library that keeps an index of its own does not see what other processes create: see docs/hsm.md. */
async function reconnectSource(): Promise<void> {
  await from?.close()
  from = await connectHsm({ ...source!.options, workers: 1, transfersTo: ['target'] })
}

async function wrappedBySource(object: string): Promise<TransferredKey> {
  const algorithm = 'RSAES_OAEP_SHA_1'
  const bytes = await from!.wrapKey(object, publicKey, algorithm)
  return { wrappingKey: transferKey, wrappingSpec: 'RSA_3072', algorithm, bytes: bytes! }
}

beforeAll(async () => {
  ;[source, target] = await Promise.all([createSoftHsm(), createSoftHsm()])
  to = await connectHsm({ ...target.options, workers: 1 })
  await reconnectSource()
  const created = await to.createWrappingKey(transferKey, 'RSA_3072', 'strongroom transfer')
  publicKey = created.publicKey!
  expect(created.custody).toMatchObject({ sensitive: true, extractable: false, neverExtractable: true })
})
afterAll(async () => {
  await Promise.all([from?.close(), to?.close()])
  source?.remove()
  target?.remove()
})

const aes = ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'] as const
const kinds = [aes, ...([224, 256, 384, 512] as const).map(bits => [`HMAC_${bits}`, 'GENERATE_VERIFY_MAC'] as const)]

describe('a transfer key', () => {
  const held = () => ({ object: transferKey, spec: 'RSA_3072', usage: 'UNWRAP', publicKey }) as const

  it('proves itself by what it unwraps', async () => {
    expect(await to!.inspectKey(held(), 'thorough')).toEqual({})
  })

  it('does not pass for another one', async () => {
    const { publicKey: other } = generateKeyPairSync('rsa', { modulusLength: 3072 })
    const swapped = { ...held(), publicKey: other.export({ format: 'der', type: 'spki' }) }
    expect(await to!.inspectKey(swapped, 'thorough')).toEqual({ fault: 'wrong_key' })
  })

  it('decrypts nothing, even where workers may bridge', async () => {
    const decryption = to!.decryptRaw({ ...held() }, 'RSAES_OAEP_SHA_1', randomBytes(384))
    expect((await refusal(decryption)).code).toBe('Internal')
  })
})

describe('a key that is created to be transferred', () => {
  const object = newMaterial()
  let key: CreatedKey
  beforeAll(async () => {
    key = await from!.generateKey(object, ...aes, 'multi-Region', true)
  })

  it('says so in its custody, and passes an inspection as exactly that', async () => {
    const custody = { sensitive: true, extractable: true, alwaysSensitive: true, neverExtractable: false, local: true }
    expect(key.custody).toEqual({ ...custody, wrapWithTrusted: true })
    const held = { object, spec: aes[0], usage: aes[1], checkValue: key.checkValue }
    expect(await from!.inspectKey({ ...held, wrapWithTrusted: true }, 'quick')).toEqual({})
    const attributes = ['extractable', 'neverExtractable']
    expect(await from!.inspectKey(held, 'quick')).toEqual({ fault: 'wrong_attributes', attributes })
  })

  it('is wrapped for nobody before the security officer trusts the other key', async () => {
    expect(await from!.wrapKey(object, publicKey, 'RSAES_OAEP_SHA_1')).toBeUndefined()
  })
})

describe('the security officer', () => {
  it('is not asked for a PIN a second time after a wrong one, and the PIN is not in the error', async () => {
    const securityOfficerPinFile = join(source!.directory, 'wrong-pin')
    writeFileSync(securityOfficerPinFile, 'a-wrong-pin\n')
    const trusting = trust({ securityOfficerPinFile })
    await expect(trusting).rejects.toThrow(
      `the token refused the PIN of the security officer in ${securityOfficerPinFile} (CKR_PIN_INCORRECT): it is not tried again`,
    )
    await expect(trusting).rejects.not.toThrow('a-wrong-pin')
  })

  it('says which file has no PIN', async () => {
    const securityOfficerPinFile = join(source!.directory, 'nowhere')
    await expect(trust({ securityOfficerPinFile })).rejects.toThrow(
      `cannot read the PIN file ${securityOfficerPinFile}`,
    )
  })

  it('trusts a key once; the second time needs no PIN', async () => {
    expect(await trust()).toBe('created')
    expect(await trust({ securityOfficerPinFile: '/nowhere' })).toBe('present')
  })
})

describe('the source token', () => {
  beforeAll(reconnectSource)

  it('itself refuses to let the key leave in any other way, whoever has the PIN of its user', async () => {
    const object = newMaterial()
    await from!.generateKey(object, ...aes, 'multi-Region', true)
    const { library, tokenLabel, pinFile, environment } = source!.options
    const script = join(import.meta.dirname, 'escape-process.ts')
    const output = execFileSync(process.execPath, [script, object, library, tokenLabel!, pinFile!], {
      env: environment,
    })
    const outcomes = JSON.parse(`${output}`) as Record<string, string>
    expect(Object.keys(outcomes)).toHaveLength(8)
    expect(Object.entries(outcomes).filter(([, outcome]) => outcome !== 'refused')).toEqual([])
  })

  it.each([aes, ['ECC_NIST_P256', 'SIGN_VERIFY'] as const])('wraps no other key %s', async (spec, usage) => {
    const object = newMaterial()
    await from!.generateKey(object, spec, usage, 'of one region')
    const { code, message } = await refusal(from!.wrapKey(object, publicKey, 'RSAES_OAEP_SHA_1'))
    expect(code).toBe('UnsupportedOperation')
    expect(message).toMatch(/^The HSM does not wrap the key: CKR_KEY_(UNEXTRACTABLE|NOT_WRAPPABLE)\.$/)
  })
})

describe('a transferred key', () => {
  it.each(kinds)('%s is the same on both tokens', async (spec, usage) => {
    const [original, copy] = [newMaterial(), newMaterial()]
    const { checkValue } = await from!.generateKey(original, spec, usage, 'multi-Region', true)
    const wrapped = await wrappedBySource(original)
    const { custody } = await to!.receiveKey(copy, spec, usage, 'copy', wrapped)
    expect(custody).toMatchObject({ sensitive: true, extractable: false, local: false, imported: true })
    expect(await to!.inspectKey({ object: copy, spec, usage, checkValue, imported: true }, 'thorough')).toEqual({})
  })

  it('decrypts on the other token what the first has encrypted', async () => {
    const [original, copy] = [newMaterial(), newMaterial()]
    await from!.generateKey(original, ...aes, 'multi-Region', true)
    const wrapped = await wrappedBySource(original)
    await to!.receiveKey(copy, ...aes, 'copy', wrapped)
    const sealed = await from!.encrypt(original, text, text)
    expect(Buffer.from(await to!.decrypt(copy, sealed, text))).toEqual(text)
  })

  it('may itself be transferable, if it is said so', async () => {
    const [original, copy] = [newMaterial(), newMaterial()]
    await from!.generateKey(original, ...aes, 'multi-Region', true)
    const wrapped = await wrappedBySource(original)
    const { custody, checkValue } = await to!.receiveKey(copy, ...aes, 'copy', wrapped, true)
    expect(custody).toMatchObject({ extractable: true, wrapWithTrusted: true, imported: true })
    const held = { object: copy, spec: aes[0], usage: aes[1], checkValue, imported: true }
    expect(await to!.inspectKey({ ...held, wrapWithTrusted: true }, 'quick')).toEqual({})
    expect(await to!.inspectKey(held, 'quick')).toMatchObject({ fault: 'wrong_attributes' })
  })
})
