/** GetKeyMetadata, and keys that cannot be used: "GetKeyMetadata" and "Error codes" of the specification. */
import { accepted, type Check, expectThat, must, refused, Skipped, should } from '../check.ts'
import { decryptCall, encrypt, encryptBody, encryptCall } from '../cryptography.ts'
import type { XksProxy } from '../proxy.ts'

async function metadataOf(proxy: XksProxy, key: string | undefined, why: string) {
  if (key === undefined) throw new Skipped(`no ${why}`)
  const body = { requestMetadata: proxy.requestMetadata('CreateKey') }
  const metadata = accepted(await proxy.call(proxy.keyPath('metadata', key), { body }))
  const { keyUsage, keyStatus } = metadata
  const isList = Array.isArray(keyUsage) && keyUsage.length <= 10 && keyUsage.every(usage => typeof usage === 'string')
  expectThat(isList, 'a keyUsage of at most 10 texts', keyUsage)
  expectThat(keyStatus === 'ENABLED' || keyStatus === 'DISABLED', 'the keyStatus ENABLED or DISABLED', keyStatus)
  return { ...metadata, keyUsage: keyUsage as string[], keyStatus } as Record<string, unknown> & { keyUsage: string[] }
}

/** The answers of the operations for a key, to correct input. */
async function uses(proxy: XksProxy, key: string) {
  const plaintext = Buffer.from('plaintext')
  const encryption = await encrypt(proxy, plaintext)
  const decrypted = async () => {
    const sent = proxy.keyPath('decrypt', key)
    return proxy.call(sent, {
      body: {
        ...encryptBody(proxy, plaintext),
        plaintext: undefined,
        ciphertext: encryption.ciphertext.toString('base64'),
        initializationVector: encryption.iv.toString('base64'),
        authenticationTag: encryption.tag.toString('base64'),
        ciphertextMetadata: encryption.metadata?.toString('base64'),
      },
    })
  }
  return { encrypted: () => encryptCall(proxy, plaintext, { key }), decrypted }
}

export const keyChecks: readonly Check[] = [
  must('describe the key as an enabled AES_256 key that can ENCRYPT and DECRYPT', async proxy => {
    const { keySpec, keyUsage, keyStatus } = await metadataOf(proxy, proxy.options.key, '--key')
    const isUsable = ['ENCRYPT', 'DECRYPT'].every(usage => keyUsage.includes(usage))
    expectThat(keySpec === 'AES_256' && keyStatus === 'ENABLED' && isUsable, 'AES_256, ENCRYPT, DECRYPT, ENABLED', {
      keySpec,
      keyUsage,
      keyStatus,
    })
  }),
  must('describe a disabled key as DISABLED, or answer InvalidStateException', async proxy => {
    const { disabledKey: key } = proxy.options
    if (key === undefined) throw new Skipped('no --disabled-key')
    const body = { requestMetadata: proxy.requestMetadata('CreateKey') }
    const answer = await proxy.call(proxy.keyPath('metadata', key), { body })
    if (answer.status !== 200) return refused(answer, 'InvalidStateException')
    const { keyStatus } = await metadataOf(proxy, key, '--disabled-key')
    expectThat(keyStatus === 'DISABLED', 'the keyStatus DISABLED', keyStatus)
  }),
  must('answer InvalidStateException to who uses a disabled key', async proxy => {
    if (proxy.options.disabledKey === undefined) throw new Skipped('no --disabled-key')
    const { encrypted, decrypted } = await uses(proxy, proxy.options.disabledKey)
    refused(await encrypted(), 'InvalidStateException')
    refused(await decrypted(), 'InvalidStateException')
  }),
  must('answer AccessDeniedException to who may not use a key', async proxy => {
    if (proxy.options.deniedKey === undefined) throw new Skipped('no --denied-key')
    const { encrypted, decrypted } = await uses(proxy, proxy.options.deniedKey)
    refused(await encrypted(), 'AccessDeniedException')
    refused(await decrypted(), 'AccessDeniedException')
  }),
  must('answer InvalidKeyUsageException to who decrypts with a key that can encrypt only', async proxy => {
    const key = proxy.options.encryptOnlyKey
    const { keyUsage } = await metadataOf(proxy, key, '--encrypt-only-key')
    expectThat(!keyUsage.includes('DECRYPT'), 'a keyUsage without DECRYPT', keyUsage)
    refused(await (await uses(proxy, key!)).decrypted(), 'InvalidKeyUsageException')
  }),
  must('answer InvalidKeyUsageException to who encrypts with a key that can decrypt only', async proxy => {
    const key = proxy.options.decryptOnlyKey
    const { keyUsage } = await metadataOf(proxy, key, '--decrypt-only-key')
    expectThat(!keyUsage.includes('ENCRYPT'), 'a keyUsage without ENCRYPT', keyUsage)
    refused(await (await uses(proxy, key!)).encrypted(), 'InvalidKeyUsageException')
  }),
  should('decrypt nothing that another key encrypted', async proxy => {
    const others = [proxy.options.deniedKey, proxy.options.disabledKey, proxy.options.encryptOnlyKey]
    const other = others.find(key => key !== undefined)
    if (other === undefined) throw new Skipped('no second key')
    const answer = await encryptCall(proxy, Buffer.from('plaintext'), { key: other })
    if (answer.status !== 200) throw new Skipped('the second key encrypts nothing')
    const encryption = await encrypt(proxy, Buffer.from('plaintext'), { key: other })
    refused(await decryptCall(proxy, encryption), 'InvalidCiphertextException')
  }),
]
