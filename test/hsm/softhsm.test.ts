import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Hsm, HsmCall } from '../../src/hsm/hsm.ts'
import { connectHsm } from '../../src/hsm/registry.ts'
import { hsmContract, newMaterial } from '../contracts/hsm.ts'
import { createSoftHsm, type SoftHsm, softHsmExceptions } from './softhsm.ts'

hsmContract(
  'SoftHSM behind two workers',
  async () => {
    const softHsm = await createSoftHsm()
    const hsm = await connectHsm(softHsm.options)
    return {
      hsm,
      async dispose() {
        await hsm.close()
        softHsm.remove()
      },
    }
  },
  softHsmExceptions,
)

describe('SoftHSM behind two workers', () => {
  const text = Buffer.from('text')
  const aad = Buffer.from('aad')
  const calls: HsmCall[] = []
  let softHsm: SoftHsm
  let hsm: Hsm

  beforeAll(async () => {
    softHsm = await createSoftHsm()
    hsm = await connectHsm({ ...softHsm.options, observe: call => calls.push(call) })
  })
  afterAll(async () => {
    await hsm.close()
    softHsm.remove()
  })

  it('holds keys whose attributes, read by another program, allow encryption and nothing else', async () => {
    const object = newMaterial()
    await hsm.generateKey(object, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'read by another program')
    const { library, tokenLabel, pinFile, environment } = softHsm.options
    const script = join(import.meta.dirname, 'token/key-attributes.ts')
    const { stdout } = await promisify(execFile)(process.execPath, [script, library, tokenLabel!, pinFile!], {
      env: environment,
    })
    const flags = [
      'TOKEN',
      'PRIVATE',
      'SENSITIVE',
      'ALWAYS_SENSITIVE',
      'NEVER_EXTRACTABLE',
      'LOCAL',
      'ENCRYPT',
      'DECRYPT',
    ]
    expect(JSON.parse(stdout)).toEqual([{ id: object, keyType: 0x1f, bytes: 32, flags }])
  })

  it('is found by the serial number of its token, too', async () => {
    const { inspectHsm } = await import('../../src/hsm/doctor/inspect.ts')
    // Without a PIN, nothing but the tokens is inspected.
    const { token } = await inspectHsm({ ...softHsm.options, pinFile: '/nowhere/pin' })
    const bySerial = await connectHsm({
      ...softHsm.options,
      tokenLabel: undefined,
      tokenSerial: token!.serial,
      workers: 1,
    })
    expect(await bySerial.objects()).toEqual(await hsm.objects())
    await bySerial.close()
  })

  it('finds a key whose object was replaced by another gateway', async () => {
    const object = newMaterial()
    await hsm.generateKey(object, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'first')
    const other = await connectHsm({ ...softHsm.options, workers: 1 })
    await other.destroyKey(object)
    await other.generateKey(object, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'second')
    const sealed = await Promise.all(Array.from({ length: 10 }, () => hsm.encrypt(object, text, aad)))
    for (const one of sealed) expect(Buffer.from(await other.decrypt(object, one, aad))).toEqual(text)
    await other.close()
  })

  it('reports the return code of each call to its observer, not its content', async () => {
    const object = newMaterial()
    await hsm.generateKey(object, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'observed')
    calls.length = 0
    const { iv, ciphertext } = await hsm.encrypt(object, text, aad)
    await expect(hsm.decrypt(object, { iv, ciphertext }, text)).rejects.toThrow()
    await expect(hsm.encrypt(newMaterial(), text, aad)).rejects.toThrow()
    expect(calls.map(({ seconds, ...call }) => call)).toEqual([
      { hsm: 'test', operation: 'encrypt', returnCode: 'CKR_OK' },
      { hsm: 'test', operation: 'decrypt', returnCode: 'CKR_GENERAL_ERROR' },
      { hsm: 'test', operation: 'encrypt', returnCode: 'none' },
    ])
    expect(calls.every(({ seconds }) => seconds > 0 && seconds < 2)).toBe(true)
  })
})

describe('SoftHSM behind the workers of two gateways', () => {
  const aad = Buffer.from('aad')
  let softHsm: SoftHsm
  let hsms: readonly Hsm[]
  const canary = newMaterial()

  beforeAll(async () => {
    softHsm = await createSoftHsm()
    const first = await connectHsm({ ...softHsm.options, workers: 1 })
    await first.generateKey(canary, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'canary')
    await first.close()
    const options = { ...softHsm.options, workers: 1, gateways: 3, isShared: true, callTimeout: 10_000 }
    const connect = () => connectHsm({ ...options, canary: () => ({ object: canary }) })
    hsms = [await connect(), await connect()]
  })
  afterAll(async () => {
    await Promise.all(hsms.map(hsm => hsm.close()))
    softHsm.remove()
  })

  it('lets each use the keys that the other creates, also while it creates keys itself', async () => {
    const create = async (hsm: Hsm) => {
      const objects = Array.from({ length: 15 }, newMaterial)
      for (const object of objects) await hsm.generateKey(object, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'a key')
      return objects
    }
    const objects = (await Promise.all(hsms.map(create))).flat()
    for (const hsm of hsms) {
      for (const object of objects) {
        await hsm.encrypt(object, Buffer.from('text'), aad)
        expect(
          await hsm.inspectKey({ object, spec: 'SYMMETRIC_DEFAULT', usage: 'ENCRYPT_DECRYPT' }, 'thorough'),
        ).toEqual(expect.not.objectContaining({ fault: expect.anything() }))
      }
    }
  })

  it('reports a key as missing that neither has', async () => {
    for (const hsm of hsms)
      await expect(hsm.encrypt(newMaterial(), Buffer.from('text'), aad)).rejects.toMatchObject({ code: 'InvalidState' })
  })
})
