// Written by scripts/catalogue.ts.
import { deleteKeys } from './delete-keys.ts'
import { sweepOrphans } from './sweep-orphans.ts'

export const jobs = [
  deleteKeys,
  sweepOrphans,
] as const
