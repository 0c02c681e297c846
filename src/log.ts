import { pino } from 'pino'
import type { Log } from './services.ts'

/** Fields that are never written, should one ever be handed over by mistake. */
const secret = [
  'pin',
  'secret',
  'secretAccessKey',
  'sessionToken',
  'plaintext',
  'Plaintext',
  'authorization',
  'password',
]

/** JSON lines on standard error: standard output belongs to what commands answer. */
export function createLog(level: string): Log {
  const paths = secret.flatMap(name => [name, `*.${name}`])
  return pino({ level, redact: { paths, censor: '[secret]' } }, pino.destination({ dest: 2, sync: true }))
}
