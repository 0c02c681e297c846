// Written by scripts/catalogue.ts.
import { audit } from './audit.ts'
import { backup } from './backup.ts'
import { doctor } from './doctor.ts'
import { fleet } from './fleet.ts'
import { identity } from './identity.ts'
import { init } from './init.ts'
import { multiRegion } from './multi-region.ts'
import { policy } from './policy.ts'
import { restore } from './restore.ts'
import { rotate } from './rotate.ts'
import { serve } from './serve.ts'
import { storage } from './storage.ts'
import { usage } from './usage.ts'
import { xks } from './xks.ts'

export const commands = [
  audit,
  backup,
  doctor,
  fleet,
  identity,
  init,
  multiRegion,
  policy,
  restore,
  rotate,
  serve,
  storage,
  usage,
  xks,
] as const
