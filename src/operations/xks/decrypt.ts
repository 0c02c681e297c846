import { decryptAsProxy } from '../../vault/xks-ciphertexts.ts'
import { type DecryptInput, operation } from './operation.ts'
import { type ExternalKeyTarget, externalKey, pin } from './targets.ts'

export const decrypt = operation<DecryptInput, { readonly plaintext: Uint8Array }, ExternalKeyTarget>({
  name: 'Decrypt',
  target: externalKey({ action: 'Decrypt', isUse: true }),
  async run({ input, target, hsms, changes }) {
    const { ciphertext, initializationVector: iv, authenticationTag: tag, ciphertextMetadata: metadata } = input
    const sealed = { iv, ciphertext, tag, metadata }
    const plaintext = await decryptAsProxy(hsms, target.key, sealed, input.additionalAuthenticatedData, target.prefix)
    pin(target, input, changes)
    return { plaintext }
  },
})
