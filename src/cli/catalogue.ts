// Written by scripts/catalogue.ts.
import { doctor } from './doctor.ts'
import { init } from './init.ts'
import { serve } from './serve.ts'

export const commands = [
  doctor,
  init,
  serve,
] as const
