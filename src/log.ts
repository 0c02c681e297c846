import { pino } from 'pino'

/** The part of the logger that is used away from the edges. Fields never hold secrets. */
export interface Log {
  error(fields: object, message: string): void
  warn(fields: object, message: string): void
  info(fields: object, message: string): void
}

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

/** Bytes that wait while nobody reads the pipe that standard error is. */
const maximumBacklog = 1024 * 1024

/** Each write tells of its own failure. */
function ignore(): void {}

/**
 * JSON lines on standard error: standard output belongs to what commands answer. Logging neither throws nor waits for a reader: a line
 * that cannot be written, because the disk is full, the reader is gone or does not read, is dropped.
 * @param dropped called for each
 */
export function createLog(level: string, dropped: () => void, stream: NodeJS.WritableStream = process.stderr): Log {
  const paths = secret.flatMap(name => [name, `*.${name}`])
  if (stream.listenerCount('error') === 0) stream.on('error', ignore)
  const write = (line: string) => {
    if ('writableLength' in stream && Number(stream.writableLength) > maximumBacklog) dropped()
    else stream.write(line, error => error && dropped())
  }
  const logger = pino({ level, redact: { paths, censor: '[secret]' } }, { write })
  const harmless = (level: keyof Log) => (fields: object, message: string) => {
    try {
      logger[level](fields, message)
    } catch {
      dropped()
    }
  }
  return { error: harmless('error'), warn: harmless('warn'), info: harmless('info') }
}
