import * as childProcess from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { OperatorError } from '../../../src/errors.ts'
import { inspectHsm } from '../../../src/hsm/doctor/inspect.ts'
import { provisionHsm } from '../../../src/hsm/provision.ts'
import { connectHsm, type HsmOptions } from '../../../src/hsm/registry.ts'
import { logTo } from '../log-to.ts'
import { createSoftHsm, emptySoftHsm, noPkcs11Library, provision, type SoftHsm } from '../softhsm.ts'

vi.mock('node:child_process', async importOriginal => {
  const original = await importOriginal<typeof childProcess>()
  return { ...original, spawn: vi.fn(original.spawn) }
})
const spawned = vi.mocked(childProcess.spawn)

let softHsm: SoftHsm
beforeAll(async () => {
  softHsm = await createSoftHsm()
})
afterEach(() => {
  spawned.mockClear()
  writeFileSync(softHsm.pinFile, 'test-user-pin\n')
})
afterAll(() => softHsm.remove())

async function mistake(options: Partial<HsmOptions>): Promise<string> {
  const error = await connectHsm({ ...softHsm.options, ...options }).catch(thrown => thrown)
  expect(error).toBeInstanceOf(OperatorError)
  expect(error.message).not.toContain('\n')
  return error.message
}

describe('an HSM that cannot be connected results in a one-line error', () => {
  it('if the library is missing', async () => {
    expect(await mistake({ library: '/nowhere/lib.so' })).toMatch(
      /^HSM test: cannot load the PKCS#11 library: \/nowhere\/lib\.so: .*No such file/,
    )
  })

  it('if the library is not a PKCS#11 module', async () => {
    expect(await mistake({ library: noPkcs11Library })).toMatch(/^HSM test: cannot load .*C_GetFunctionList/)
  })

  it('if the library cannot read its configuration', async () => {
    const broken = join(softHsm.directory, 'broken.conf')
    writeFileSync(broken, 'directories.tokendir = /nowhere\n')
    expect(await mistake({ environment: { SOFTHSM2_CONF: broken } })).toMatch(
      /^HSM test: cannot initialize the PKCS#11 library, check its configuration: .*CKR_GENERAL_ERROR/,
    )
  })

  it('if the token is missing, with those found', async () => {
    expect(await mistake({ tokenLabel: 'absent' })).toMatch(
      /^HSM test: no token with label "absent": found "strongroom-test" \(serial [0-9a-f]{16}\)$/,
    )
  })

  it('if label and serial number do not match', async () => {
    expect(await mistake({ tokenSerial: '0' })).toMatch(/no token with label "strongroom-test" and serial "0"/)
  })

  it('if the PIN file is missing or empty', async () => {
    expect(await mistake({ pinFile: '/nowhere/pin' })).toBe('HSM test: cannot read the PIN file /nowhere/pin: ENOENT')
    writeFileSync(softHsm.pinFile, '\n')
    expect(await mistake({})).toBe(`HSM test: no PIN in ${softHsm.pinFile}`)
  })

  it('if the profile does not exist', async () => {
    expect(await mistake({ profile: 'constructor' })).toBe(
      'unknown HSM profile "constructor": use one of cloudhsm, generic, kryoptic, luna7, nshield, nss, softhsm2, utimaco, yubihsm2, or the path of a file',
    )
  })
})

describe('a wrong PIN', () => {
  it('is tried by one worker only', async () => {
    writeFileSync(softHsm.pinFile, 'wrong-pin')
    const message = await mistake({ workers: 2 })
    expect(message).toMatch(
      /^HSM test: the token refused the PIN in .* \(CKR_PIN_INCORRECT\): correct it and restart, it is not tried again$/,
    )
    expect(message).not.toContain('wrong-pin')
    expect(spawned).toHaveBeenCalledOnce()
  })

  it('is not tried again when a worker is replaced: calls fail at once', async () => {
    const failed = Promise.withResolvers<string>()
    const ready: number[] = []
    const hsm = await connectHsm({
      ...softHsm.options,
      workers: 1,
      log: logTo(({ event, worker, reason }) => {
        if (event === 'worker_ready') ready.push(worker as number)
        if (event === 'pin_refused') failed.resolve(reason as string)
      }),
    })
    writeFileSync(softHsm.pinFile, 'wrong-pin')
    process.kill(ready[0]!, 'SIGKILL')
    expect(await failed.promise).toMatch(/CKR_PIN_INCORRECT/)
    await expect(hsm.random(1)).rejects.toMatchObject({ code: 'KeyUnavailable' })
    await hsm.close()
    expect(spawned).toHaveBeenCalledTimes(2)
  })
})

describe('a PIN in the environment', () => {
  const connect = (environment: Record<string, string>) => {
    const { options } = softHsm
    const own = { ...options.environment, ...environment }
    return connectHsm({ ...options, pinFile: undefined, pinVariable: 'TEST_PIN', environment: own, workers: 1 })
  }

  it('is read by the worker', async () => {
    const hsm = await connect({ TEST_PIN: 'test-user-pin' })
    expect(await hsm.random(1)).toHaveLength(1)
    await hsm.close()
  })

  it('is reported by its name if missing, and refused without being shown', async () => {
    await expect(connect({})).rejects.toThrow('HSM test: no PIN in the environment variable TEST_PIN')
    await expect(connect({ TEST_PIN: 'wrong-pin' })).rejects.toThrow(
      'HSM test: the token refused the PIN in the environment variable TEST_PIN (CKR_PIN_INCORRECT): correct it and restart, it is not tried again',
    )
  })
})

describe('provisionHsm', () => {
  it('creates the token once', async () => {
    const fresh = emptySoftHsm()
    expect(await provision(fresh)).toBe('created')
    expect(await provision(fresh)).toBe('present')
    const hsm = await connectHsm({ ...fresh.options, workers: 1 })
    expect(await hsm.objects()).toEqual([])
    await hsm.close()
    fresh.remove()
  })

  it('completes an earlier run', async () => {
    const fresh = emptySoftHsm()
    writeFileSync(fresh.pinFile, '1')
    await expect(provision(fresh)).rejects.toThrow('C_InitPIN: CKR_PIN_LEN_RANGE')
    writeFileSync(fresh.pinFile, 'test-user-pin')
    expect(await provision(fresh)).toBe('created')
    // Without a PIN, nothing but the tokens is inspected.
    expect((await inspectHsm({ ...fresh.options, pinFile: '/nowhere/pin' })).tokens).toHaveLength(1)
    fresh.remove()
  })

  it('reports an error in one line', async () => {
    const { options, pinFile, securityOfficerPinFile } = softHsm
    const argument = { ...options, tokenLabel: 'other', pinFile, securityOfficerPinFile }
    await expect(provisionHsm({ ...argument, library: '/nowhere/lib.so' })).rejects.toThrow(
      /^cannot load .*No such file/,
    )
    await expect(provisionHsm({ ...argument, profile: 'unknown' })).rejects.toThrow(OperatorError)
  })
})
