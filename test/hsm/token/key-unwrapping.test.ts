/** Which key material SoftHSM unwraps itself, which a worker bridges, and what is left of either when it fails. */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { Failure } from '../../../src/errors.ts'
import type { Hsm } from '../../../src/hsm/hsm.ts'
import { connectHsm, type HsmOptions } from '../../../src/hsm/registry.ts'
import { importAbility } from '../../../src/model/keys/ability.ts'
import { newMaterial, refusal } from '../../contracts/hsm.ts'
import { newKeyBytes } from '../../contracts/hsm-imports.ts'
import { refusals, roundTrips, Wrapping } from '../../contracts/hsm-unwrapping.ts'
import { wrapMaterial } from '../../contracts/wrapping.ts'
import { occurrences } from '../../end-to-end/memory-scan.ts'
import { FaultHsm } from '../../fault-hsm/fault-hsm.ts'
import { children } from '../children.ts'
import { createSoftHsm, type SoftHsm } from '../softhsm.ts'

/** Maximum time of a recovery on a busy machine. */
const patient = { timeout: 10_000 }
const aes = ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'] as const
const hmac = ['HMAC_256', 'GENERATE_VERIFY_MAC'] as const
let softHsm: SoftHsm
let faults: FaultHsm
let hsm: Hsm
const wrapping = new Wrapping(() => hsm)

/** What the HSM is connected with. */
let connected = ''

/** @param flags of the profile, in YAML */
async function connect(options: Partial<HsmOptions> = {}, flags: readonly string[] = []): Promise<void> {
  const wanted = JSON.stringify([flags, options])
  if (connected === wanted) return
  await hsm?.close()
  connected = wanted
  const profile = join(softHsm.directory, 'profile.yaml')
  writeFileSync(profile, ['name: under-test', 'basedOn: softhsm2', ...flags].join('\n'))
  const environment = { ...softHsm.options.environment, ...faults.environment() }
  const common = { library: faults.library, environment, profile, workers: 1, callTimeout: 20_000 }
  hsm = await connectHsm({ ...softHsm.options, ...common, ...options })
}

beforeAll(async () => {
  softHsm = await createSoftHsm()
  const folder = join(softHsm.directory, 'faults')
  mkdirSync(folder)
  faults = new FaultHsm(folder)
  await connect()
  await wrapping.create()
})
afterEach(() => faults.clear())
afterAll(async () => {
  await hsm?.close()
  softHsm.remove()
})

describe('SoftHSM', () => {
  beforeAll(() => connect())

  refusals(() => hsm, wrapping, [
    ['RSAES_OAEP_SHA_1', 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'],
    ['RSAES_OAEP_SHA_1', 'HMAC_384', 'GENERATE_VERIFY_MAC'],
    ['RSAES_OAEP_SHA_256', 'HMAC_384', 'GENERATE_VERIFY_MAC'],
    ['RSAES_OAEP_SHA_1', 'ECC_NIST_P256', 'SIGN_VERIFY'],
    ['RSAES_OAEP_SHA_256', 'ECC_NIST_P256', 'KEY_AGREEMENT'],
    ['RSA_AES_KEY_WRAP_SHA_1', 'ECC_NIST_P256', 'KEY_AGREEMENT'],
    ['RSA_AES_KEY_WRAP_SHA_256', 'ECC_NIST_P256', 'SIGN_VERIFY'],
    ['RSA_AES_KEY_WRAP_SHA_1', 'RSA_2048', 'SIGN_VERIFY'],
    ['RSA_AES_KEY_WRAP_SHA_256', 'RSA_2048', 'SIGN_VERIFY'],
  ])

  roundTrips(() => hsm, wrapping, [
    ['HMAC_224', 'GENERATE_VERIFY_MAC'],
    ['HMAC_256', 'GENERATE_VERIFY_MAC'],
    ['HMAC_384', 'GENERATE_VERIFY_MAC'],
    ['HMAC_512', 'GENERATE_VERIFY_MAC'],
    ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'],
    ['RSA_2048', 'ENCRYPT_DECRYPT'],
    ['RSA_3072', 'SIGN_VERIFY'],
    ['RSA_4096', 'SIGN_VERIFY'],
    ['ECC_NIST_P256', 'SIGN_VERIFY'],
    ['ECC_NIST_P256', 'KEY_AGREEMENT'],
    ['ECC_NIST_P384', 'KEY_AGREEMENT'],
    ['ECC_NIST_P521', 'KEY_AGREEMENT'],
    ['ECC_SECG_P256K1', 'SIGN_VERIFY'],
  ])

  it.each([28, 128])('takes an HMAC key of %i bytes for HMAC_224', async bytes => {
    const bridged = wrapping.wrap('RSAES_OAEP_SHA_256', randomBytes(bytes))
    await wrapping.unwrap(newMaterial(), ['HMAC_224', 'GENERATE_VERIFY_MAC'], 'RSAES_OAEP_SHA_256', bridged)
    const whole = wrapping.wrap('RSAES_OAEP_SHA_1', randomBytes(bytes))
    await wrapping.unwrap(newMaterial(), ['HMAC_224', 'GENERATE_VERIFY_MAC'], 'RSAES_OAEP_SHA_1', whole)
  })

  it('unwraps alone what is wrapped with SHA-1: no worker decrypts it, and no template holds it', async () => {
    faults.set('count C_Decrypt', 'count C_CreateObject')
    const material = randomBytes(32)
    const alone = await wrapping.unwrap(
      newMaterial(),
      hmac,
      'RSAES_OAEP_SHA_1',
      wrapping.wrap('RSAES_OAEP_SHA_1', material),
    )
    expect(faults.counts().map(({ calls }) => calls)).toEqual([0, 0])
    expect(alone.custody.bridged).toBeUndefined()
  })

  it('lets a worker unwrap what is wrapped with SHA-256, and the custody record says so', async () => {
    const material = wrapping.wrap('RSAES_OAEP_SHA_256', randomBytes(32))
    const { custody } = await wrapping.unwrap(newMaterial(), hmac, 'RSAES_OAEP_SHA_256', material)
    expect(custody).toMatchObject({ imported: true, bridged: true, sensitive: true, extractable: false })
  })
})

describe('key material that the openssl command has wrapped', () => {
  beforeAll(() => connect())
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: softHsm.directory, stdio: 'pipe' })
  const file = (name: string) => readFileSync(join(softHsm.directory, name))
  const oaep = ['rsa_padding_mode:oaep', 'rsa_oaep_md:sha256', 'rsa_mgf1_md:sha256'].flatMap(option => [
    '-pkeyopt',
    option,
  ])
  const encrypt = ['pkeyutl', '-encrypt', '-pubin', '-keyform', 'DER', '-inkey', 'wrapping.der', ...oaep]

  it('unwraps', async () => {
    writeFileSync(join(softHsm.directory, 'wrapping.der'), wrapping.publicKey)
    openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', 'ec.pem')
    openssl('pkcs8', '-topk8', '-nocrypt', '-outform', 'DER', '-in', 'ec.pem', '-out', 'ec.der')
    openssl('pkey', '-in', 'ec.pem', '-pubout', '-outform', 'DER', '-out', 'ec.pub')
    openssl(...encrypt, '-in', 'ec.der', '-out', 'ec.wrapped')
    const kind = ['ECC_NIST_P256', 'SIGN_VERIFY'] as const
    const direct = await wrapping.unwrap(newMaterial(), kind, 'RSAES_OAEP_SHA_256', file('ec.wrapped'))
    expect(Buffer.from(direct.publicKey!)).toEqual(file('ec.pub'))
    openssl('rand', '-out', 'aes.key', '32')
    openssl(
      'enc',
      '-id-aes256-wrap-pad',
      '-iv',
      'A65959A6',
      '-K',
      file('aes.key').toString('hex'),
      '-in',
      'ec.der',
      '-out',
      'ec.rest',
    )
    openssl(...encrypt, '-in', 'aes.key', '-out', 'aes.wrapped')
    const both = Buffer.concat([file('aes.wrapped'), file('ec.rest')])
    const wrapped = await wrapping.unwrap(newMaterial(), kind, 'RSA_AES_KEY_WRAP_SHA_256', both)
    expect(wrapped.fingerprint).toEqual(direct.fingerprint)
  })
})

describe('a wrapping key', () => {
  /** Read by another program. */
  async function flagsOf(spec: Parameters<Hsm['createWrappingKey']>[3]): Promise<readonly string[]> {
    const object = newMaterial()
    await hsm.createWrappingKey(object, 'RSA_2048', 'wrapping', spec)
    const { library, tokenLabel, pinFile, environment } = softHsm.options
    const script = join(import.meta.dirname, 'key-attributes.ts')
    const printed = execFileSync(process.execPath, [script, library, tokenLabel!, pinFile!], { env: environment })
    const keys = JSON.parse(printed.toString()) as readonly { id: string; flags: readonly string[] }[]
    return keys.find(({ id }) => id === object)!.flags
  }
  const kept = ['TOKEN', 'PRIVATE', 'SENSITIVE', 'ALWAYS_SENSITIVE', 'NEVER_EXTRACTABLE', 'LOCAL']

  it('decrypts, where a worker has to bridge', async () => {
    await connect()
    expect(await flagsOf('SYMMETRIC_DEFAULT')).toEqual(expect.arrayContaining([...kept, 'DECRYPT', 'UNWRAP']))
  })

  it.each([
    ['with strict custody', { strictCustody: true }, []],
    ['where the HSM unwraps alone', {}, ['oaepHashes: [sha1, sha256]']],
  ] as const)('does nothing but unwrap %s', async (_, options, flags) => {
    await connect(options, flags)
    expect((await flagsOf('SYMMETRIC_DEFAULT')).filter(flag => flag !== 'COPYABLE')).toEqual([...kept, 'UNWRAP'])
  })
})

it('a wrapping key that was created with strict custody cannot be used by a worker', async () => {
  const object = newMaterial()
  await connect({ strictCustody: true })
  const { publicKey } = await hsm.createWrappingKey(object, 'RSA_2048', 'wrapping', 'SYMMETRIC_DEFAULT')
  await connect()
  const [wrappingSpec, algorithm] = ['RSA_2048', 'RSAES_OAEP_SHA_256'] as const
  const bytes = wrapMaterial(publicKey!, algorithm, randomBytes(32))
  const wrapped = { wrappingKey: object, wrappingSpec, algorithm, bytes }
  const failure = await refusal(hsm.unwrapKey(newMaterial(), ...aes, 'unwrapped', wrapped))
  expect(failure.code).toBe('UnsupportedOperation')
  expect(failure.message).toMatch(/its wrapping key was created when no worker was allowed to\.$/)
})

it('a worker keeps no key material that it has unwrapped', async () => {
  await connect()
  const mark = randomBytes(32)
  const algorithm = 'RSA_AES_KEY_WRAP_SHA_256'
  for (let i = 0; i < 20; i++) {
    const object = newMaterial()
    const material = Buffer.concat([mark, randomBytes(32)])
    await wrapping.unwrap(object, ['HMAC_512', 'GENERATE_VERIFY_MAC'], algorithm, wrapping.wrap(algorithm, material))
    await hsm.destroyKey(object)
  }
  const [worker] = children()
  // Of SoftHSM too, which is in the same process.
  expect(occurrences(worker!, [mark])[0]).toBeLessThanOrEqual(3)
})

describe.each([{ strictCustody: true }, { allowSoftwareFallback: false }])('with %o', options => {
  beforeAll(() => connect(options))

  it('a worker sees no key material, and an import that needs that is refused, and leaves nothing', async () => {
    const before = await hsm.objects()
    const material = wrapping.wrap('RSA_AES_KEY_WRAP_SHA_256', newKeyBytes('ECC_NIST_P256'))
    const kind = ['ECC_NIST_P256', 'SIGN_VERIFY'] as const
    const failure = await refusal(wrapping.unwrap(newMaterial(), kind, 'RSA_AES_KEY_WRAP_SHA_256', material))
    expect(failure).toMatchObject({
      code: 'UnsupportedOperation',
      message:
        'This HSM does not import such key material: it cannot unwrap key spec ECC_NIST_P256 under RSA_AES_KEY_WRAP_SHA_256, and the configuration does not allow a worker to.',
    })
    expect(await hsm.objects()).toEqual(before)
  })

  it('what is refused is known before', () => {
    const why = (algorithm: Parameters<typeof importAbility>[1]) =>
      hsm.whyUnsupported(importAbility('SYMMETRIC_DEFAULT', algorithm))
    expect(why('RSAES_OAEP_SHA_256')).toMatch(/cannot unwrap it/)
    expect(why('RSAES_OAEP_SHA_1')).toBeUndefined()
  })

  it('what the HSM unwraps alone is imported', async () => {
    const material = wrapping.wrap('RSAES_OAEP_SHA_1', newKeyBytes('SYMMETRIC_DEFAULT'))
    const { custody } = await wrapping.unwrap(newMaterial(), aes, 'RSAES_OAEP_SHA_1', material)
    expect(custody.bridged).toBeUndefined()
  })
})

describe('the import of wrapped key material', () => {
  const algorithm = 'RSAES_OAEP_SHA_1'
  const count = async (id: string) => (await hsm.objects()).filter(object => object.id === id).length
  const unwrap = (object: string) => wrapping.unwrap(object, hmac, algorithm, wrapping.wrap(algorithm, randomBytes(32)))

  it.each([
    ['a crash after the HSM has made it', 'crash C_UnwrapKey after times 1'],
    ['a crash before it is proved to work', 'crash C_Sign times 1'],
    ['a refusal though the HSM has made it', 'fail C_UnwrapKey CKR_GENERAL_ERROR after times 1'],
    ['lost sessions though the HSM has made it', 'fail C_UnwrapKey CKR_SESSION_CLOSED after times 1'],
    ['a wrapping key that is not where it was', 'fail C_UnwrapKey CKR_UNWRAPPING_KEY_HANDLE_INVALID times 1'],
    ['a fault before its length is measured', 'fail C_GenerateKey CKR_FUNCTION_FAILED times 1'],
    ['a fault while its length is measured', 'fail C_WrapKey CKR_GENERAL_ERROR times 1'],
  ])('leaves one object after %s', async (_what, rule) => {
    await connect({ workers: 2 })
    faults.set(rule)
    const object = newMaterial()
    const { checkValue } = await unwrap(object)
    expect(faults.counts()[0]!.hits).toBe(1)
    expect(await count(object)).toBe(1)
    const key = { object, spec: hmac[0], usage: hmac[1], checkValue, imported: true }
    expect(await hsm.inspectKey(key, 'thorough')).toEqual({})
  })

  it.each([
    ['the HSM says that it failed', 'fail C_UnwrapKey CKR_DEVICE_ERROR after', /KeyUnavailable|Throttling/, 100],
    ['the call never returns', 'hang C_UnwrapKey after times 1', /KeyUnavailable/, 100],
    ['the HSM refuses it again and again', 'fail C_UnwrapKey CKR_GENERAL_ERROR after', /InvalidCiphertext/],
    ['the key does not work', 'fail C_SignInit CKR_KEY_SIZE_RANGE', /IncorrectKeyMaterial/],
    ['the HSM does not have the mechanism', 'fail C_UnwrapKey CKR_MECHANISM_INVALID after', /UnsupportedOperation/],
  ])('that fails leaves no object, if the HSM has made it and %s', async (_what, rule, code, callTimeout = 20_000) => {
    await connect({ callTimeout })
    const ids = async () => (await hsm.objects()).map(({ id }) => id).sort()
    const before = await ids()
    faults.set(rule)
    const failure = await refusal(unwrap(newMaterial()))
    expect(failure).toBeInstanceOf(Failure)
    expect(failure.code).toMatch(code)
    expect(faults.counts()[0]!.hits).toBeGreaterThan(0)
    await vi.waitUntil(() => hsm.pending === 0, patient)
    faults.clear()
    await expect.poll(() => ids().catch(() => []), patient).toEqual(before)
  })

  it('is refused if the HSM says that the key could be read out', async () => {
    await connect()
    const object = newMaterial()
    faults.set(`expose ${object}`)
    expect((await refusal(unwrap(object))).code).toBe('UnsupportedOperation')
    expect(await count(object)).toBe(0)
  })

  it('blames the HSM, not the caller, if that refuses everything', async () => {
    await connect()
    faults.set('fail C_UnwrapKey CKR_GENERAL_ERROR', 'fail C_GenerateRandom CKR_GENERAL_ERROR')
    expect((await refusal(unwrap(newMaterial()))).code).toMatch(/KeyUnavailable|Internal/)
  })

  it('does not wait for itself, with more calls than sessions', async () => {
    await connect({ sessionsPerWorker: 1 }, ['mode: asynchronous'])
    const wrong = Buffer.alloc(wrapping.publicKey.length)
    const calls = Array.from({ length: 6 }, (_, index) =>
      index % 2 === 0
        ? unwrap(newMaterial())
        : wrapping.unwrap(newMaterial(), hmac, algorithm, wrong).catch(error => error),
    )
    const answers = await Promise.all(calls)
    expect(answers.map(answer => answer.code ?? 'imported')).toEqual(
      [...'ioioio'].map(one => (one === 'i' ? 'imported' : 'InvalidCiphertext')),
    )
  })
})
