/** No external key stores, for tests that have none. */
import type { ExternalKeyStores, ExternalKeys } from '../../src/services.ts'

const unexpected = async (): Promise<never> => {
  throw new Error('there are no external key stores')
}

export const noExternalKeys: ExternalKeys = {
  checkStore: unexpected,
  check: unexpected,
  encrypt: unexpected,
  decrypt: unexpected,
}

export const noExternalKeyStores: ExternalKeyStores = {
  connect: unexpected,
  disconnect: async () => {},
  for: () => noExternalKeys,
  poll: async () => {},
}
