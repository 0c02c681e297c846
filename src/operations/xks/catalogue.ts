// Written by scripts/catalogue.ts.
import { decrypt } from './decrypt.ts'
import { encrypt } from './encrypt.ts'
import { getHealthStatus } from './get-health-status.ts'
import { getKeyMetadata } from './get-key-metadata.ts'

export const operations = [
  decrypt,
  encrypt,
  getHealthStatus,
  getKeyMetadata,
] as const
