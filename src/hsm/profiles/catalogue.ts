// Written by scripts/catalogue.ts.
import { cloudhsm } from './cloudhsm.ts'
import { generic } from './generic.ts'
import { kryoptic } from './kryoptic.ts'
import { luna7 } from './luna7.ts'
import { nshield } from './nshield.ts'
import { nss } from './nss.ts'
import { softhsm2 } from './softhsm2.ts'
import { utimaco } from './utimaco.ts'
import { yubihsm2 } from './yubihsm2.ts'

export const profiles = [
  cloudhsm,
  generic,
  kryoptic,
  luna7,
  nshield,
  nss,
  softhsm2,
  utimaco,
  yubihsm2,
] as const
