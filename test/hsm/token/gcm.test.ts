/** The forms of the IV of AES-GCM, each of an HSM that knows no other one. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Failure } from '../../../src/errors.ts'
import type { Hsm } from '../../../src/hsm/hsm.ts'
import { connectHsm, type HsmOptions } from '../../../src/hsm/registry.ts'
import { encryptionContract, newMaterial } from '../../contracts/hsm.ts'
import { FaultHsm } from '../../fault-hsm/fault-hsm.ts'
import { cases } from '../../thorough.ts'
import { createSoftHsm, type SoftHsm } from '../softhsm.ts'

async function createFaultHsm(): Promise<{ softHsm: SoftHsm; fault: FaultHsm; options: HsmOptions }> {
  const softHsm = await createSoftHsm()
  const fault = new FaultHsm(softHsm.directory)
  const environment = { ...softHsm.options.environment, ...fault.environment() }
  return { softHsm, fault, options: { ...softHsm.options, workers: 1, library: fault.library, environment } }
}

// In the profile the caller generates the IVs, and the mechanism of prepend12 is not listed: the probe detects it.
describe.each(cases(['append16', 'writeback12', 'prepend12']))(
  'An HSM of the form %s, of which the profile says otherwise',
  form => {
    let hsm: Hsm
    let dispose: () => Promise<void>

    beforeAll(async () => {
      const { softHsm, fault, options } = await createFaultHsm()
      fault.set(`gcm-iv ${form}`)
      hsm = await connectHsm(options)
      dispose = async () => {
        await hsm.close()
        softHsm.remove()
      }
    })
    afterAll(() => dispose())

    encryptionContract(() => hsm)
  },
)

const patient = { timeout: 15_000 }

describe('The form of the IV', () => {
  const text = Buffer.from('text')
  const aad = Buffer.from('aad')
  const [object, canary] = [newMaterial(), newMaterial()]
  let softHsm: SoftHsm
  let fault: FaultHsm
  let options: HsmOptions

  beforeAll(async () => {
    const created = await createFaultHsm()
    softHsm = created.softHsm
    fault = created.fault
    options = created.options
    await using(async hsm => {
      for (const id of [object, canary]) {
        await hsm.generateKey(id, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'used by all tests')
      }
    })
  })
  afterAll(() => softHsm.remove())

  async function using<T>(use: (hsm: Hsm) => Promise<T>, changes: Partial<HsmOptions> = {}): Promise<T> {
    const hsm = await connectHsm({ ...options, ...changes })
    try {
      return await use(hsm)
    } finally {
      await hsm.close()
    }
  }

  function withProfile(flags: string): Partial<HsmOptions> {
    const profile = join(softHsm.directory, 'profile.yaml')
    writeFileSync(profile, `name: ours\nbasedOn: softhsm2\n${flags}\n`)
    return { profile }
  }

  it.each(['writeback12', 'append16'])('is that of the profile first: %s', async form => {
    fault.set(`gcm-iv ${form}`, 'count C_EncryptInit')
    await using(
      async hsm => {
        // A trial is two encryptions.
        expect(fault.counts()[1]!.calls).toBe(2)
        expect(hsm.ivLength).toBe(form === 'append16' ? 16 : 12)
      },
      withProfile(`gcmIv: ${form}`),
    )
  })

  it.each(['writeback12', 'prepend12', 'append16'])(
    'of the profile is not used if it is %s and the caller must generate the IV',
    async form => {
      fault.clear()
      await using(
        async hsm => {
          expect(hsm.ivLength).toBe(12)
          const sealed = await hsm.encrypt(object, text, aad)
          expect(Buffer.from(sealed.iv)).not.toEqual(Buffer.alloc(12))
          expect(Buffer.from(await hsm.decrypt(object, sealed, aad))).toEqual(text)
        },
        withProfile(`gcmIv: ${form}`),
      )
    },
  )

  it('may change without a ciphertext becoming undecryptable', async () => {
    fault.clear()
    const before = await using(hsm => hsm.encrypt(object, text, aad))
    fault.set('gcm-iv append16')
    await using(async hsm => {
      expect(Buffer.from(await hsm.decrypt(object, before, aad))).toEqual(text)
      expect((await hsm.encrypt(object, text, aad)).iv.length).toBe(16)
    })
  })

  it('is not guessed: if none works there is no AES-GCM, and no key is generated for it', async () => {
    fault.set('remove-mechanism CKM_AES_GCM')
    await using(async hsm => {
      const refused = (call: Promise<unknown>) =>
        call.then(
          () => 'done',
          (error: Failure) => `${error.code}: ${error.message}`,
        )
      const calls = [
        hsm.encrypt(object, text, aad),
        hsm.generateKey(newMaterial(), 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'of no use'),
      ]
      for (const call of calls) {
        expect(await refused(call)).toMatch(
          /^UnsupportedOperation: .* SYMMETRIC_DEFAULT is not supported by this HSM: none of its known forms works\.$/,
        )
      }
    })
  })

  describe.each(cases([2, 1]))('is detected again when it changes while the gateway runs, by %i workers', workers => {
    const none = 'caller'
    it.each(
      cases(
        [
          [none, 'append16'],
          ['append16', 'prepend12'],
          ['writeback12', none],
          ['append16', none],
          ['prepend12', 'append16'],
        ],
        2,
      ),
    )('from %s to %s', async (before, after) => {
      const become = (form: string) => (form === none ? fault.clear() : fault.set(`gcm-iv ${form}`))
      become(before)
      await using(
        async hsm => {
          const length = hsm.ivLength
          await hsm.encrypt(object, text, aad, length)
          become(after)
          const sealed = await vi.waitUntil(
            () => hsm.encrypt(object, text, aad, hsm.ivLength).catch(() => undefined),
            patient,
          )
          expect(sealed.iv.length).toBe(hsm.ivLength)
          expect(Buffer.from(await hsm.decrypt(object, sealed, aad))).toEqual(text)
          // A call that started with another form is not answered, but may be retried.
          const late = hsm.encrypt(object, text, aad, length).then(
            ({ iv }) => iv.length,
            (error: Failure) => error.code,
          )
          expect(await late).toBe(hsm.ivLength === length ? length : 'KeyUnavailable')
        },
        { workers, canary: () => ({ object: canary }) },
      )
    })
  })

  it('is that of the profile if the token generates no session keys', async () => {
    fault.set('gcm-iv append16', 'fail C_GenerateKey CKR_TEMPLATE_INCONSISTENT')
    await using(async hsm => {
      const sealed = await hsm.encrypt(object, text, aad)
      expect(sealed.iv.length).toBe(16)
      expect(Buffer.from(await hsm.decrypt(object, sealed, aad))).toEqual(text)
    }, withProfile('gcmIv: append16'))
  })

  it.each([
    ['is lost', 'CKR_DEVICE_ERROR', ''],
    ['is busy', 'CKR_FUNCTION_FAILED', 'throttlingCodes: [CKR_FUNCTION_FAILED]'],
  ])('is not concluded from an HSM that %s: the worker does not start', async (_what, code, flags) => {
    fault.set(`fail C_Encrypt ${code}`)
    await expect(using(async () => {}, withProfile(flags))).rejects.toThrow(`C_Encrypt: ${code}`)
  })
})
