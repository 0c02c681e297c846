/** What every implementation of the HSM contract does. */
import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Failure } from '../../src/errors.ts'
import type { Hsm, Sealed } from '../../src/hsm/hsm.ts'
import type { SupportedKeySpec } from '../../src/model/keys/key-spec.ts'
import { importContract } from './hsm-imports.ts'
import { keyContract } from './hsm-keys.ts'
import { unwrappingContract } from './hsm-unwrapping.ts'

export interface HsmUnderTest {
  readonly hsm: Hsm
  /** Closes the HSM and removes its files. */
  dispose(): Promise<void>
}

/**
 * What an implementation does not do, each with the reason. Of a key spec it says so itself, in these words; of `local`, that a key was
 * born on the HSM, its custody says nothing.
 */
export type Exceptions = Readonly<Partial<Record<SupportedKeySpec | 'local', string>>>

export function newMaterial(): string {
  return randomBytes(32).toString('hex')
}

export async function refusal(call: Promise<unknown>): Promise<Failure> {
  return call.then(
    () => expect.fail('The call was not refused.'),
    error => error as Failure,
  )
}

function withFlippedBit(bytes: Uint8Array, index: number): Uint8Array {
  const flipped = Uint8Array.from(bytes)
  flipped[index]! ^= 1
  return flipped
}

/** The part about symmetric keys. */
export function encryptionContract(hsm: () => Hsm): void {
  describe('encrypt and decrypt', () => {
    const object = newMaterial()
    const otherMaterial = newMaterial()
    const plaintext = Buffer.from('a plaintext')
    const aad = Buffer.from('an encryption context')
    let sealed: Sealed

    beforeAll(async () => {
      await hsm().generateKey(object, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'the key of all tests')
      await hsm().generateKey(otherMaterial, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'another key')
      sealed = await hsm().encrypt(object, plaintext, aad)
    })

    it.each([1, 15, 16, 17, 4096])('returns a plaintext of %i bytes', async length => {
      const bytes = randomBytes(length)
      const { iv, ciphertext } = await hsm().encrypt(object, bytes, aad)
      expect(ciphertext.length).toBe(length + 16)
      expect(Buffer.from(await hsm().decrypt(object, { iv, ciphertext }, aad))).toEqual(bytes)
    })

    it.each([0, 1, 8192])('binds an AAD of %i bytes', async length => {
      const bytes = randomBytes(length)
      const bound = await hsm().encrypt(object, plaintext, bytes)
      expect(Buffer.from(await hsm().decrypt(object, bound, bytes))).toEqual(plaintext)
      const other = Buffer.concat([bytes, Buffer.of(0)])
      expect((await refusal(hsm().decrypt(object, bound, other))).code).toBe('InvalidCiphertext')
    })

    it('has a digest of what it has encrypted and checked', async () => {
      const hashed = Buffer.from('hashed first')
      const checked = await hsm().encryptChecked(object, plaintext, aad, hashed)
      const { iv, ciphertext, digest } = checked
      const parts = [hashed, iv, ciphertext]
      expect(Buffer.from(digest)).toEqual(createHash('sha256').update(Buffer.concat(parts)).digest())
      expect(Buffer.from(await hsm().decrypt(object, checked, aad))).toEqual(plaintext)
    })

    it('does not mix up 200 concurrent calls', async () => {
      const texts = Array.from({ length: 200 }, (_, index) => Buffer.from(`text ${index}`))
      const all = await Promise.all(texts.map(text => hsm().encrypt(object, text, text)))
      const opened = await Promise.all(all.map((one, index) => hsm().decrypt(object, one, texts[index]!)))
      expect(opened.map(bytes => Buffer.from(bytes).toString())).toEqual(texts.map(String))
    })

    it('never uses an IV twice, and all have the stated length', async () => {
      const all = await Promise.all(Array.from({ length: 1000 }, () => hsm().encrypt(object, plaintext, aad)))
      expect(new Set(all.map(({ iv }) => Buffer.from(iv).toString('hex'))).size).toBe(1000)
      expect(all.every(({ iv }) => iv.length === hsm().ivLength)).toBe(true)
    })

    const wrong: Record<string, () => Promise<unknown>> = {
      'another AAD': () => hsm().decrypt(object, sealed, Buffer.from('another')),
      'no AAD': () => hsm().decrypt(object, sealed, Buffer.alloc(0)),
      'another IV': () => hsm().decrypt(object, { ...sealed, iv: withFlippedBit(sealed.iv, 0) }, aad),
      'a shorter IV': () => hsm().decrypt(object, { ...sealed, iv: sealed.iv.subarray(1) }, aad),
      'an IV of 16 bytes': () => hsm().decrypt(object, { ...sealed, iv: Buffer.alloc(16) }, aad),
      'no IV': () => hsm().decrypt(object, { ...sealed, iv: Buffer.alloc(0) }, aad),
      'another ciphertext': () =>
        hsm().decrypt(object, { ...sealed, ciphertext: withFlippedBit(sealed.ciphertext, 0) }, aad),
      'another tag': () =>
        hsm().decrypt(
          object,
          { ...sealed, ciphertext: withFlippedBit(sealed.ciphertext, sealed.ciphertext.length - 1) },
          aad,
        ),
      'a cut tag': () => hsm().decrypt(object, { ...sealed, ciphertext: sealed.ciphertext.subarray(0, -4) }, aad),
      'less than a tag': () => hsm().decrypt(object, { ...sealed, ciphertext: Buffer.alloc(15) }, aad),
      'nothing but a wrong tag': () => hsm().decrypt(object, { ...sealed, ciphertext: Buffer.alloc(16) }, aad),
      'another key': () => hsm().decrypt(otherMaterial, sealed, aad),
    }
    it.each(Object.keys(wrong))('refuses %s without a reason', async what => {
      const failure = await refusal(wrong[what]!())
      expect(failure).toMatchObject({ name: 'Failure', code: 'InvalidCiphertext', message: '' })
    })

    it('works as before after a refusal', async () => {
      expect(Buffer.from(await hsm().decrypt(object, sealed, aad))).toEqual(plaintext)
    })

    it('answers InvalidState for a missing key', async () => {
      const missing = newMaterial()
      expect((await refusal(hsm().encrypt(missing, plaintext, aad))).code).toBe('InvalidState')
      expect((await refusal(hsm().decrypt(missing, sealed, aad))).code).toBe('InvalidState')
    })

    it('answers Internal for an invalid object ID', async () => {
      for (const wrongId of ['', 'ab', `${object}00`, 'x'.repeat(64)]) {
        expect((await refusal(hsm().encrypt(wrongId, plaintext, aad))).code).toBe('Internal')
      }
    })
  })
}

/** @param open creates a new, empty HSM. @param imports whether keys are imported and unwrapped, too */
export function hsmContract(
  name: string,
  open: () => Promise<HsmUnderTest>,
  exceptions: Exceptions,
  { imports = true } = {},
): void {
  describe(`${name} as an HSM`, () => {
    let hsm: Hsm
    let dispose: () => Promise<void>
    const object = newMaterial()
    const plaintext = Buffer.from('a plaintext')
    const aad = Buffer.from('an encryption context')
    let sealed: Sealed

    beforeAll(async () => {
      const underTest = await open()
      hsm = underTest.hsm
      dispose = () => underTest.dispose()
      await hsm.generateKey(object, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'the key of the contract')
      sealed = await hsm.encrypt(object, plaintext, aad)
    })
    afterAll(() => dispose())

    encryptionContract(() => hsm)

    describe('random', () => {
      it.each([1, 32, 1024])('returns %i bytes, never the same', async length => {
        const [one, two] = await Promise.all([hsm.random(length), hsm.random(length)])
        expect(one.length).toBe(length)
        if (length > 1) expect(one).not.toEqual(two)
      })
    })

    describe('keys', () => {
      it('are listed with their object id and label', async () => {
        const listed = newMaterial()
        await hsm.generateKey(listed, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'a läbel')
        expect(await hsm.objects()).toContainEqual({ id: listed, label: 'a läbel' })
      })

      it('cannot be used once destroyed, and can be destroyed again', async () => {
        const doomed = newMaterial()
        await hsm.generateKey(doomed, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'doomed')
        // Often enough that every worker has seen the key.
        const last = await Promise.all(Array.from({ length: 20 }, () => hsm.encrypt(doomed, plaintext, aad)))
        await hsm.destroyKey(doomed)
        await hsm.destroyKey(doomed)
        const calls = last.map(one => refusal(hsm.decrypt(doomed, one, aad)))
        expect(new Set((await Promise.all(calls)).map(({ code }) => code))).toEqual(new Set(['InvalidState']))
        expect((await hsm.objects()).map(({ id }) => id)).not.toContain(doomed)
      })

      it.each(['quick', 'thorough'] as const)('are missing once destroyed, by a %s inspection', async depth => {
        const key = { object: newMaterial(), spec: 'SYMMETRIC_DEFAULT', usage: 'ENCRYPT_DECRYPT' } as const
        const { checkValue } = await hsm.generateKey(key.object, key.spec, key.usage, 'inspected')
        await hsm.destroyKey(key.object)
        expect(await hsm.inspectKey({ ...key, checkValue }, depth)).toEqual({ fault: 'missing' })
      })

      it('do not affect others when they are destroyed', async () => {
        expect(Buffer.from(await hsm.decrypt(object, sealed, aad))).toEqual(plaintext)
      })
    })

    keyContract(() => hsm, exceptions)

    if (imports) {
      importContract(() => hsm, exceptions)
      unwrappingContract(() => hsm, exceptions)
    }

    describe('callers', () => {
      it('each get an HSM, and the same one again', async () => {
        const [one, other] = [hsm.for('one'), hsm.for('other')]
        expect(hsm.for('one')).toBe(one)
        expect([one.name, one.ivLength]).toEqual([hsm.name, hsm.ivLength])
        const own = await one.encrypt(object, plaintext, aad)
        expect(Buffer.from(await other.decrypt(object, own, aad))).toEqual(plaintext)
      })
    })

    describe('health', () => {
      it('is ready, with workers that were started', () => {
        expect(hsm.health).toMatchObject({ state: 'ready' })
        expect(hsm.health.workers).toBeGreaterThan(0)
        expect(hsm.health.starts).toBeGreaterThanOrEqual(hsm.health.workers)
      })

      it('counts calls until they are answered', async () => {
        // Objects of failed creations in the tests before may still be being destroyed, in calls of the HSM's own.
        await expect.poll(() => hsm.pending).toBe(0)
        const calls = Array.from({ length: 7 }, () => hsm.random(1))
        expect(hsm.pending).toBe(7)
        await Promise.all(calls)
        expect(hsm.pending).toBe(0)
      })
    })

    it('answers KeyUnavailable once it is closed', async () => {
      await hsm.close()
      expect((await refusal(hsm.random(1))).code).toBe('KeyUnavailable')
      await hsm.close()
    })
  })
}
