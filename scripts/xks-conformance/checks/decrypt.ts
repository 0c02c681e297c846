/** "Decrypt" of the specification: nothing that was changed is decrypted, and nothing more is said. */
import { randomBytes } from 'node:crypto'
import { type Check, must, refused, Skipped, should } from '../check.ts'
import { decryptBody, decryptCall, type Encryption, encrypt, expectPlaintext, flipped } from '../cryptography.ts'
import type { XksProxy } from '../proxy.ts'

const plaintext = Buffer.from('a plaintext of 32 bytes in ASCII')

async function expectInvalid(proxy: XksProxy, ...encryptions: readonly Encryption[]): Promise<void> {
  for (const encryption of encryptions) refused(await decryptCall(proxy, encryption), 'InvalidCiphertextException')
}

async function expectMalformed(proxy: XksProxy, ...encryptions: readonly Encryption[]): Promise<void> {
  for (const encryption of encryptions)
    refused(await decryptCall(proxy, encryption), 'ValidationException', 'InvalidCiphertextException')
}

/** With what the check changes. */
function changed(name: string, change: (encryption: Encryption) => readonly Encryption[]): Check {
  return must(`answer InvalidCiphertextException to ${name}`, async proxy => {
    const encryption = await encrypt(proxy, plaintext, { aad: randomBytes(40) })
    await expectInvalid(proxy, ...change(encryption))
    expectPlaintext(await decryptCall(proxy, encryption), plaintext)
  })
}

function metadataOf({ metadata }: Encryption): Buffer {
  if (metadata === undefined || metadata.length === 0) throw new Skipped('it returns no ciphertextMetadata')
  return metadata
}

export const decryptChecks: readonly Check[] = [
  changed('another ciphertext', encryption => {
    const { ciphertext } = encryption
    const others = [
      flipped(ciphertext),
      flipped(ciphertext, 31),
      ciphertext.subarray(1),
      Buffer.concat([ciphertext, ciphertext]),
    ]
    return others.map(ciphertext => ({ ...encryption, ciphertext }))
  }),
  changed('another initialization vector of 12 or 16 bytes', encryption => {
    const { iv } = encryption
    return [flipped(iv), flipped(iv, iv.length - 1), randomBytes(12), randomBytes(16)].map(iv => ({
      ...encryption,
      iv,
    }))
  }),
  changed('another authentication tag', encryption => {
    const { tag } = encryption
    return [flipped(tag), flipped(tag, 15), Buffer.alloc(16)].map(tag => ({ ...encryption, tag }))
  }),
  changed('another AAD', encryption => {
    const aad = encryption.aad!
    const others = [flipped(aad), aad.subarray(1), Buffer.concat([aad, Buffer.alloc(1)]), Buffer.alloc(0), undefined]
    return others.map(aad => ({ ...encryption, aad }))
  }),
  changed('ciphertextMetadata that was added', encryption => {
    if (encryption.metadata) throw new Skipped('it returns ciphertextMetadata')
    return [randomBytes(1), randomBytes(20)].map(metadata => ({ ...encryption, metadata }))
  }),
  must('answer an error to ciphertextMetadata that was changed, shortened or left out', async proxy => {
    const encryption = await encrypt(proxy, plaintext, { aad: randomBytes(40) })
    const metadata = metadataOf(encryption)
    const bits = Array.from(metadata, (_, at) => flipped(metadata, at))
    const others = [...bits, metadata.subarray(1), Buffer.alloc(0), undefined]
    await expectMalformed(proxy, ...others.map(metadata => ({ ...encryption, metadata })))
  }),
  must('answer an error to ciphertextMetadata that was moved into the AAD', async proxy => {
    const encryption = await encrypt(proxy, plaintext)
    const metadata = metadataOf(encryption)
    await expectMalformed(proxy, { ...encryption, aad: metadata, metadata: undefined })
    await expectMalformed(proxy, {
      ...encryption,
      aad: Buffer.concat([Buffer.of(metadata.length), metadata]),
      metadata: undefined,
    })
  }),
  must('answer an error to initialization vectors of other lengths', async proxy => {
    const encryption = await encrypt(proxy, plaintext)
    const lengths = [0, 1, 11, 13, 15, 17, 32]
    await expectMalformed(proxy, ...lengths.map(length => ({ ...encryption, iv: randomBytes(length) })))
  }),
  must('answer an error to authentication tags of other lengths', async proxy => {
    const encryption = await encrypt(proxy, plaintext)
    const { tag } = encryption
    const tags = [0, 4, 8, 12, 15].map(length => tag.subarray(0, length))
    await expectMalformed(
      proxy,
      ...[...tags, Buffer.concat([tag, Buffer.alloc(1)])].map(tag => ({ ...encryption, tag })),
    )
  }),
  should('answer an error to ciphertextMetadata of more than 20 bytes', async proxy => {
    const encryption = await encrypt(proxy, plaintext)
    await expectMalformed(proxy, { ...encryption, metadata: randomBytes(21) })
  }),
  must('answer an error to random bytes', async proxy => {
    const random = () => ({ ciphertext: randomBytes(32), iv: randomBytes(12), tag: randomBytes(16) })
    await expectMalformed(
      proxy,
      random(),
      { ...random(), metadata: randomBytes(20) },
      { ...random(), aad: randomBytes(9) },
    )
  }),
  should('tell by no errorMessage what is wrong with a ciphertext', async proxy => {
    const encryption = await encrypt(proxy, plaintext, { aad: randomBytes(40) })
    const { ciphertext, tag, aad } = encryption
    const changes = [{ ciphertext: flipped(ciphertext) }, { tag: flipped(tag) }, { aad: flipped(aad!) }]
    const answers = []
    for (const change of changes)
      answers.push(
        await proxy.call(proxy.keyPath('decrypt'), { body: decryptBody(proxy, { ...encryption, ...change }) }),
      )
    for (const answer of answers) refused(answer, 'InvalidCiphertextException')
    const messages = new Set(answers.map(({ text }) => (JSON.parse(text) as { errorMessage?: string }).errorMessage))
    if (messages.size > 1) throw new Error(`${messages.size} different errorMessages`)
  }),
]
