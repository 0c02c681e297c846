import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectionErrorCode } from '../../src/hsm/connection-error.ts'
import { StartError } from '../../src/hsm/pool/worker-process.ts'
import { connectHsm, type HsmOptions } from '../../src/hsm/registry.ts'
import { type ReturnCode, returnCodes } from '../../src/hsm/return-codes.ts'
import { newObjectId } from '../../src/vault/materials.ts'
import { FaultHsm } from '../fault-hsm/fault-hsm.ts'
import { createSoftHsm, emptySoftHsm, provision, type SoftHsm } from './softhsm.ts'

/** HSMs of custom key stores, whose PIN the gateway sends. */

const password = 'test-user-pin'
let folder: string
let softHsm: SoftHsm
/** With another PIN. */
let other: SoftHsm
let faults: FaultHsm
let otherFaults: FaultHsm

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'key-store-hsm-'))
  softHsm = await createSoftHsm()
  other = emptySoftHsm()
  writeFileSync(other.pinFile, 'another-pin\n')
  await provision(other)
  faults = new FaultHsm(mkdtempSync(join(folder, 'a-')))
  otherFaults = new FaultHsm(mkdtempSync(join(folder, 'b-')))
})
afterAll(() => {
  softHsm.remove()
  other.remove()
  rmSync(folder, { recursive: true })
})

function optionsOf(pin = password, rest: Partial<HsmOptions> = {}): HsmOptions {
  return {
    ...softHsm.options,
    library: faults.library,
    environment: { ...softHsm.options.environment, ...faults.environment() },
    pinFile: undefined,
    pin: async () => Buffer.from(pin),
    workers: 2,
    isOfKeyStore: true,
    ...rest,
  }
}

async function failureOf(options: HsmOptions, signal?: AbortSignal): Promise<string> {
  const outcome = connectHsm(options, signal).then(
    async hsm => {
      await hsm.close()
      return 'connected'
    },
    thrown => connectionErrorCode(thrown),
  )
  return outcome
}

describe('the HSM of a custom key store', () => {
  it('gets its PIN from the gateway, whenever a worker starts or logs in again', async () => {
    const hsm = await connectHsm(optionsOf(password, { workers: 1 }))
    expect(await hsm.random(4)).toHaveLength(4)
    faults.set('forget-login')
    const id = await newObjectId(hsm)
    await hsm.generateKey(id, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'label')
    await hsm.destroyKey(id)
    faults.set()
    await hsm.close()
  })

  it.each([
    ['another password', 'INVALID_CREDENTIALS', 'count C_Login', 'wrong-password'],
    ['a locked user', 'USER_LOCKED_OUT', 'fail C_Login CKR_PIN_LOCKED'],
    ['a user without a PIN', 'USER_NOT_FOUND', 'fail C_Login CKR_USER_PIN_NOT_INITIALIZED'],
    ['another user', 'USER_LOGGED_IN', 'fail C_Login CKR_USER_ANOTHER_ALREADY_LOGGED_IN'],
    ['a lost device', 'NETWORK_ERRORS', 'fail C_Login CKR_DEVICE_REMOVED'],
    ['an unknown fault', 'INTERNAL_ERROR', 'fail C_Login CKR_FUNCTION_FAILED'],
  ])('with %s cannot be connected: %s, after one login', async (_what, code, rule, pin = password) => {
    faults.set(rule)
    expect(await failureOf(optionsOf(pin))).toBe(code)
    expect(faults.counts()[0]).toMatchObject({ calls: 1 })
    faults.set()
  })

  it('says how to correct a refused password, which needs no restart', async () => {
    await expect(connectHsm(optionsOf('wrong-password'))).rejects.toThrow(
      /refused the PIN in the settings of the custom key store \(CKR_PIN_INCORRECT\): disconnect the store, update its password, and connect it, it is not tried again$/,
    )
  })

  it('that is not there cannot be connected', async () => {
    expect(await failureOf(optionsOf(password, { tokenLabel: 'missing' }))).toBe('CLUSTER_NOT_FOUND')
  })

  it('that hangs is given up when the attempt is ended', async () => {
    faults.set('hang C_Login')
    const ended = new AbortController()
    const failure = failureOf(optionsOf(), ended.signal)
    await expect.poll(() => faults.counts()[0]!.calls).toBe(1)
    ended.abort()
    expect(await failure).toBe('INTERNAL_ERROR')
    faults.set()
  })

  it('asks its members for their login one after another, until one refuses the PIN', async () => {
    const canary = { object: 'ab'.repeat(32) }
    const second = {
      library: otherFaults.library,
      environment: { ...other.options.environment, ...otherFaults.environment() },
    }
    for (const hsm of [faults, otherFaults]) hsm.set('count C_Login')
    // The key is on none of them: what counts is who is asked.
    expect(await failureOf(optionsOf(password, { canary: () => canary, members: { second, first: {} } }))).toBe(
      'INVALID_CREDENTIALS',
    )
    expect([otherFaults.counts()[0]!.calls, faults.counts()[0]!.calls]).toEqual([1, 0])
    // The store's user is known to one of two.
    expect(await failureOf(optionsOf(password, { canary: () => canary, members: { first: {}, second } }))).toBe(
      'INVALID_CREDENTIALS',
    )
    expect(otherFaults.counts()[0]!.calls).toBe(2)
    for (const hsm of [faults, otherFaults]) hsm.set('fail C_GetSlotList CKR_DEVICE_ERROR')
    expect(await failureOf(optionsOf(password, { canary: () => canary, members: { first: {}, second } }))).toBe(
      'INSUFFICIENT_CLOUDHSM_HSMS',
    )
  })
})

describe('a ConnectionErrorCode', () => {
  it('is there for every return code of PKCS#11', () => {
    const codes = (Object.keys(returnCodes) as ReturnCode[]).map(returnCode => {
      const reason = returnCodes[returnCode][1] === 'pinRefused' ? 'pinRefused' : 'unavailable'
      const started = new StartError({ message: '', reason, returnCode })
      return [returnCode, connectionErrorCode(new Error('', { cause: started }))] as const
    })
    const refused = codes.filter(([name]) => returnCodes[name][1] === 'pinRefused')
    expect(new Set(refused.map(([, code]) => code))).toEqual(
      new Set(['INVALID_CREDENTIALS', 'USER_LOCKED_OUT', 'USER_NOT_FOUND']),
    )
    const others = codes.filter(([name]) => returnCodes[name][1] !== 'pinRefused').map(([, code]) => code)
    expect(new Set(others)).toEqual(
      new Set(['INTERNAL_ERROR', 'NETWORK_ERRORS', 'CLUSTER_NOT_FOUND', 'USER_LOGGED_IN']),
    )
  })

  it.each([
    [{ reason: 'untrusted' }, 'CLUSTER_NOT_FOUND'],
    [{ reason: 'unavailable', returnCode: 'timeout' }, 'NETWORK_ERRORS'],
    [{ reason: 'unavailable', returnCode: 'CKR_VENDOR_DEFINED' }, 'INTERNAL_ERROR'],
    [{ reason: 'unavailable' }, 'INTERNAL_ERROR'],
    [{ reason: 'pinRefused' }, 'INVALID_CREDENTIALS'],
  ] as const)('of a worker that fails with %j is %s', (failure, code) => {
    expect(connectionErrorCode(new StartError({ message: '', ...failure }))).toBe(code)
  })
})
