// Written by scripts/catalogue.ts.
import { softhsm2 } from './softhsm2.ts'

export const profiles = [
  softhsm2,
] as const
