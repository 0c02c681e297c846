import { currentMaterial } from '../../model/keys/key.ts'
import { encryptAsProxy } from '../../vault/xks-ciphertexts.ts'
import { type EncryptInput, operation } from './operation.ts'
import { type ExternalKeyTarget, externalKey, pin } from './targets.ts'

export interface EncryptOutput {
  readonly ciphertext: Uint8Array
  readonly initializationVector: Uint8Array
  readonly authenticationTag: Uint8Array
  readonly ciphertextMetadata: Uint8Array
  readonly ciphertextDataIntegrityValue?: Uint8Array | undefined
}

export const encrypt = operation<EncryptInput, EncryptOutput, ExternalKeyTarget>({
  name: 'Encrypt',
  target: externalKey({ action: 'Encrypt', material: currentMaterial }),
  async run({ input, target, storage, hsms, changes }) {
    const { plaintext, additionalAuthenticatedData, asksForIntegrityValue } = input
    const sealed = await encryptAsProxy({ storage, hsms }, target.key, plaintext, additionalAuthenticatedData)
    pin(target, input, changes)
    return {
      ciphertext: sealed.ciphertext,
      initializationVector: sealed.iv,
      authenticationTag: sealed.tag,
      ciphertextMetadata: sealed.metadata,
      ciphertextDataIntegrityValue: asksForIntegrityValue ? sealed.integrityValue : undefined,
    }
  },
})
