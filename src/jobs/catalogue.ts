// Written by scripts/catalogue.ts.
import { checkCustody } from './check-custody.ts'
import { deleteKeys } from './delete-keys.ts'
import { makeSpareKeys } from './make-spare-keys.ts'
import { rotateKeys } from './rotate-keys.ts'
import { settleRecords } from './settle-records.ts'
import { sweepOrphans } from './sweep-orphans.ts'
import { watchEncryptions } from './watch-encryptions.ts'
import { writeUses } from './write-uses.ts'

export const jobs = [
  checkCustody,
  deleteKeys,
  makeSpareKeys,
  rotateKeys,
  settleRecords,
  sweepOrphans,
  watchEncryptions,
  writeUses,
] as const
