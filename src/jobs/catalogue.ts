// Written by scripts/catalogue.ts.
import { checkCustody } from './check-custody.ts'
import { connectKeyStores } from './connect-key-stores.ts'
import { deleteExpiredKeyMaterial } from './delete-expired-key-material.ts'
import { deleteKeys } from './delete-keys.ts'
import { deleteWrappingKeys } from './delete-wrapping-keys.ts'
import { destroyObjects } from './destroy-objects.ts'
import { makeSpareKeys } from './make-spare-keys.ts'
import { pruneChanges } from './prune-changes.ts'
import { rotateKeys } from './rotate-keys.ts'
import { settleRecords } from './settle-records.ts'
import { signCheckpoints } from './sign-checkpoints.ts'
import { sweepOrphans } from './sweep-orphans.ts'
import { takeOverRecords } from './take-over-records.ts'
import { watchEncryptions } from './watch-encryptions.ts'
import { watchHsms } from './watch-hsms.ts'
import { watchXksProxies } from './watch-xks-proxies.ts'
import { writeUses } from './write-uses.ts'

export const jobs = [
  checkCustody,
  connectKeyStores,
  deleteExpiredKeyMaterial,
  deleteKeys,
  deleteWrappingKeys,
  destroyObjects,
  makeSpareKeys,
  pruneChanges,
  rotateKeys,
  settleRecords,
  signCheckpoints,
  sweepOrphans,
  takeOverRecords,
  watchEncryptions,
  watchHsms,
  watchXksProxies,
  writeUses,
] as const
