/** Settings of the audit journal, but for its sinks. */
import { z } from 'zod'
import { duration, size } from '../quantities.ts'

export const auditSettings = {
  file: z.string(),
  segment: z
    .strictObject({ maxSize: size('1MiB').prefault('256MiB'), maxAge: duration('1m').prefault('24h') })
    .prefault({}),
  writeTimeout: duration('100ms', '1m').prefault('5s'),
  checkpoints: z
    .strictObject({ interval: duration('1s', '1d').prefault('60s'), hsm: z.string().optional() })
    .prefault({}),
}
