/** "Encrypt" of the specification: sizes, AAD, CDIV. */
import { randomBytes } from 'node:crypto'
import { acceptedOrTooLarge, type Check, expectThat, must, refused, should, shown } from '../check.ts'
import { decryptCall, encrypt, encryptCall, encryptionOf, expectPlaintext } from '../cryptography.ts'
import type { XksProxy } from '../proxy.ts'

async function roundTrip(proxy: XksProxy, plaintext: Buffer, aad?: Buffer, integrity = true): Promise<void> {
  expectPlaintext(await decryptCall(proxy, await encrypt(proxy, plaintext, { aad, integrity })), plaintext)
}

/** Whatever is accepted must decrypt. */
async function roundTripIfAccepted(proxy: XksProxy, plaintext: Buffer, aad?: Buffer): Promise<void> {
  const members = acceptedOrTooLarge(await encryptCall(proxy, plaintext, { aad }))
  if (members) expectPlaintext(await decryptCall(proxy, encryptionOf(members, plaintext, { aad })), plaintext)
}

export const encryptChecks: readonly Check[] = [
  must('encrypt and decrypt plaintexts of up to 4300 bytes', async proxy => {
    for (const length of [1, 15, 16, 17, 32, 48, 1000, 4096, 4299, 4300]) await roundTrip(proxy, randomBytes(length))
  }),
  must('take AAD of up to 8192 bytes', async proxy => {
    for (const length of [1, 32, 255, 256, 4096, 8191, 8192])
      await roundTrip(proxy, randomBytes(32), randomBytes(length))
  }),
  must('take the longest plaintext together with the longest AAD', proxy =>
    roundTrip(proxy, randomBytes(4300), randomBytes(8192)),
  ),
  must('answer a plaintext of more than 4300 bytes, or UnsupportedOperationException', async proxy => {
    for (const length of [4301, 8192, 65_536]) await roundTripIfAccepted(proxy, randomBytes(length))
  }),
  must('answer an AAD of more than 8192 bytes, or UnsupportedOperationException', async proxy => {
    for (const length of [8193, 65_535]) await roundTripIfAccepted(proxy, randomBytes(32), randomBytes(length))
  }),
  must('refuse an AAD of more than 65,535 bytes, whose length the AAD for the HSM cannot state', async proxy => {
    const answer = await encryptCall(proxy, randomBytes(32), { aad: randomBytes(65_536) })
    refused(answer, 'UnsupportedOperationException', 'ValidationException')
  }),
  should('encrypt no bytes, or answer ValidationException', async proxy => {
    const none = Buffer.alloc(0)
    const answer = await encryptCall(proxy, none)
    if (answer.status !== 200) return refused(answer, 'ValidationException')
    expectPlaintext(await decryptCall(proxy, encryptionOf(JSON.parse(answer.text), none, {})), none)
  }),
  must('return no ciphertextDataIntegrityValue unless it is asked for one', proxy =>
    roundTrip(proxy, randomBytes(32), randomBytes(32), false),
  ),
  must('return the right ciphertextDataIntegrityValue with and without AAD', async proxy => {
    for (const aad of [undefined, Buffer.alloc(0), randomBytes(33)]) await roundTrip(proxy, randomBytes(12), aad)
  }),
  must('never use an initialization vector twice', async proxy => {
    const plaintext = randomBytes(32)
    const encryptions = []
    while (encryptions.length < 64)
      encryptions.push(...(await Promise.all(Array.from({ length: 8 }, () => encrypt(proxy, plaintext)))))
    const distinct = new Set(encryptions.map(({ iv }) => iv.toString('hex')))
    expectThat(distinct.size === encryptions.length, '64 initialization vectors', `${distinct.size}`)
  }),
  should('take absent and empty AAD as the same', async proxy => {
    const plaintext = randomBytes(32)
    const absent = await encrypt(proxy, plaintext)
    expectPlaintext(await decryptCall(proxy, { ...absent, aad: Buffer.alloc(0) }), plaintext)
    const empty = await encrypt(proxy, plaintext, { aad: Buffer.alloc(0) })
    expectPlaintext(await decryptCall(proxy, { ...empty, aad: undefined }), plaintext)
  }),
  should('answer a body of a megabyte with an error, and go on', async proxy => {
    const answer = await encryptCall(proxy, randomBytes(750_000))
    const isRefused = answer.status >= 400 && answer.status !== 500
    expectThat(answer.status === 200 || isRefused, '501 UnsupportedOperationException', shown(answer))
    await roundTrip(proxy, randomBytes(32))
  }),
]
