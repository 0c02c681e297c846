/** Many requests at the same time. */
import { randomBytes } from 'node:crypto'
import { type Check, must, refused, should } from '../check.ts'
import { decryptCall, encrypt, expectPlaintext, flipped } from '../cryptography.ts'

export const concurrencyChecks: readonly Check[] = [
  must('answer each of many requests at the same time for itself', async proxy => {
    const works = Array.from({ length: proxy.options.concurrency }, async (_, i) => {
      const [plaintext, aad] = [randomBytes(1 + ((i * 131) % 4300)), randomBytes((i * 257) % 8193)]
      expectPlaintext(
        await decryptCall(proxy, await encrypt(proxy, plaintext, { aad, integrity: i % 2 === 0 })),
        plaintext,
      )
    })
    await Promise.all(works)
  }),
  should('answer requests correctly while others are refused', async proxy => {
    const plaintext = randomBytes(48)
    const encryption = await encrypt(proxy, plaintext)
    const works = Array.from({ length: proxy.options.concurrency }, async (_, i) => {
      if (i % 2 === 0) return expectPlaintext(await decryptCall(proxy, encryption), plaintext)
      refused(await decryptCall(proxy, { ...encryption, tag: flipped(encryption.tag) }), 'InvalidCiphertextException')
    })
    await Promise.all(works)
  }),
]
