import { decryptAsProxy, materialNamedBy } from '../../vault/xks-ciphertexts.ts'
import { type DecryptInput, operation } from './operation.ts'
import { type ExternalKeyTarget, externalKey, pin } from './targets.ts'

export const decrypt = operation<DecryptInput, { readonly plaintext: Uint8Array }, ExternalKeyTarget>({
  name: 'Decrypt',
  target: externalKey({
    action: 'Decrypt',
    // The first, if it may be a ciphertext of the sample proxy.
    material: (key, { ciphertextMetadata }) => materialNamedBy(ciphertextMetadata, key) ?? key.materials[0],
  }),
  async run({ input, target, hsms, changes }) {
    const { ciphertext, initializationVector: iv, authenticationTag: tag, ciphertextMetadata: metadata } = input
    const sealed = { iv, ciphertext, tag, metadata }
    const plaintext = await decryptAsProxy(hsms, target.key, sealed, input.additionalAuthenticatedData, target.prefix)
    pin(target, input, changes)
    return { plaintext }
  },
})
