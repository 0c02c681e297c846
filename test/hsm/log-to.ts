import type { Log, LogFields } from '../../src/log.ts'

/** A log that hands every line over. */
export function logTo(write: (fields: LogFields, level: keyof Log) => void): Log {
  return {
    error: fields => write(fields, 'error'),
    warn: fields => write(fields, 'warn'),
    info: fields => write(fields, 'info'),
  }
}
